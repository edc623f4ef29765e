"""What differs between runs: their configurations, their data, their figures. Nothing here draws."""

from dataclasses import dataclass

from medqa_core.foundation.format import NOT_STATED, capital, percent
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.views.figures import SETTINGS, figure_of, figures, settings
from medqa_core.report.views.metric import one
from medqa_core.report.wording.metric import change_text, value_text, values_text
from medqa_core.runs.schema.evaluation import Verdict

MOST = 20
"""Runs that stand side by side."""


@dataclass(frozen=True)
class Cell:
    """One metric of one run."""

    values: str
    """Base → fine-tuned, or the fine-tuned model's figure alone."""
    change: str = ""
    verdict: Verdict | None = None
    """None where nothing was compared."""


@dataclass(frozen=True)
class Row:
    """One metric across runs; None where a run does not have it."""

    label: str
    about: str
    cells: tuple[Cell | None, ...]


def differing_settings(runs: list[Facts]) -> tuple[list[list[str]], list[list[str]]]:
    """The settings with different values, and those that some runs do not state while the others agree."""
    tables = [dict(_about(facts)) for facts in runs]
    names = list(dict.fromkeys(name for table in tables for name in table))
    rows = [[name, *(table.get(name, NOT_STATED) for table in tables)] for name in names]
    differing = [row for row in rows if len(set(row[1:]) - {NOT_STATED}) > 1]
    unstated = [row for row in rows if NOT_STATED in row and row not in differing]
    return differing, unstated


def figure_rows(runs: list[Facts]) -> list[Row]:
    """A row for each metric that some run has."""
    rows = []
    for name, spec in METRICS.items():
        cells = [_cell(facts, name) for facts in runs]
        if any(cells):
            rows.append(Row(capital(spec.label), "lower is better" if spec.lower_is_better else "", tuple(cells)))
    return rows


def comparable(runs: list[Facts]) -> str | None:
    """Why the figures must not be read across, or None where the test questions are the same."""
    hashes = {facts.run.id: facts.record.data.split_hash if facts.record.data else None for facts in runs}
    silent = [run_id for run_id, split_hash in hashes.items() if split_hash is None]
    if len({*hashes.values()} - {None}) > 1:
        return "These runs were tested on different questions: compare each with its own base, not with each other."
    if silent:
        do = "does" if len(silent) == 1 else "do"
        return f"{', '.join(silent)} {do} not say which questions the figures are from, so these may not compare."
    models = {facts.record.base_model.id if facts.record.base_model else None for facts in runs}
    if len(models) > 1:
        return "The base models differ: loss per token and perplexity depend on the tokenizer, bits per byte does not."
    return None


def lowest(runs: list[Facts]) -> str:
    """Which run's fine-tuned model did best on its test questions, said only where the questions are the same."""
    why = comparable(runs)
    losses = {f.run.id: m.fine_tuned for f in runs if (m := f.metric("loss")) is not None and m.fine_tuned is not None}
    if why is not None:
        return why
    if len(losses) < 2:
        return "Fewer than two of these runs have a measured test loss."
    best = min(losses, key=lambda i: losses[i])
    ordered = sorted(losses.values())
    gap = (ordered[1] - ordered[0]) / ordered[1]
    return (
        f"{best} has the lowest test loss of these, {value_text('loss', losses[best])}, {percent(gap)} below the next; "
        "whether that difference is more than chance was not tested."
    )


def _cell(facts: Facts, name: str) -> Cell | None:
    metric = one(facts, name)
    if metric is not None and metric.compared:
        return Cell(values_text(metric), change_text(metric), metric.verdict)
    figure = figure_of(figures(facts), name)
    return None if figure.value is None else Cell(figure.text, f"{figure.origin}, no base")


def _about(facts: Facts) -> list[tuple[str, str]]:
    record = facts.record
    split = record.data.split if record.data else None
    rows = [
        ("Base model", record.base_model.id if record.base_model else NOT_STATED),
        ("Data", record.data.source if record.data else NOT_STATED),
        ("Training examples", f"{split.train:,}" if split else NOT_STATED),
        ("Test questions", f"{split.test:,}" if split else NOT_STATED),
        ("Device", record.environment.device or NOT_STATED),
    ]
    order = list(SETTINGS.values())
    stated = sorted(settings(facts), key=lambda row: order.index(row[0]) if row[0] in order else len(order))
    return [*rows, *stated]
