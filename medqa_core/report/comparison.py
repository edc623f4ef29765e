"""What differs between runs: their configurations, their data, their figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from medqa_core.foundation.format import NOT_STATED, listing, percent
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.views.figures import SETTINGS, Figure, figure_of, figures, settings, show
from medqa_core.report.views.metric import MetricView, one
from medqa_core.report.wording.metric import value_text

MOST = 20
"""Runs that stand side by side."""


@dataclass(frozen=True)
class MetricRow:
    """One metric across runs."""

    name: str
    cells: tuple[MetricView | Figure | None, ...]
    """A comparison with the base model, a figure without one, or None where a run has neither."""


@dataclass(frozen=True)
class SettingRow:
    """One setting across runs; None where a run does not state it."""

    label: str
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class Caveat:
    """Why the figures of some runs must not be compared with each other."""

    reason: Literal["different questions", "unknown questions", "different base models", "different losses"]
    runs: tuple[str, ...] = ()
    """The runs that it is about, where it is not about all."""

    def sentence(self) -> str:
        """The caveat in words."""
        if self.reason == "different questions":
            return "These runs were tested on different questions: compare each with its own base, not with each other."
        if self.reason == "different base models":
            return (
                "The base models differ: loss per token and perplexity depend on the tokenizer, bits per byte does not."
            )
        if self.reason == "different losses":
            return (
                "Their losses are not of the same text: other prompts, other references, or other questions of the "
                "test set. The verdict between them judges what their answers score."
            )
        do = "does" if len(self.runs) == 1 else "do"
        return f"{', '.join(self.runs)} {do} not say which questions the figures are from, so these may not compare."


@dataclass(frozen=True)
class LowestLoss:
    """The run whose fine-tuned model has the lowest test loss, on the same questions as the others."""

    run_id: str
    loss: float
    gap: float
    """How far below the next one, as a share of that."""

    def sentence(self) -> str:
        """The finding in words, with what was not tested."""
        return (
            f"{self.run_id} has the lowest test loss of these, {value_text('loss', self.loss)}, {percent(self.gap)} "
            "below the next; the verdict between the two says whether that is more than chance."
        )


@dataclass(frozen=True)
class SeedSpread:
    """How far the fine-tuned figures of runs lie apart that differ in their seed alone."""

    seeds: tuple[int, ...]
    ranges: tuple[tuple[str, float, float], ...]
    """Metric, its lowest and its highest value; only what every run has."""

    def sentence(self) -> str:
        """The spread in words."""
        spread = [
            f"{METRICS[name].label} {value_text(name, low)} to {value_text(name, high)}"
            for name, low, high in self.ranges
        ]
        return (
            f"These runs differ in their seed alone ({listing([str(seed) for seed in self.seeds])}): fine-tuned, they "
            f"have {listing(spread)}. So far chance in training moves the figures; no interval of one run holds it."
        )


SPREAD = ("content_f1", "rougeL", "loss")
"""Metrics whose spread between seeds is told."""
_NAMES = {"preset": None, "title": "", "description": "", "seed": 0}
"""Settings that two seeds of one recipe may differ in."""


def seed_spread(runs: Sequence[Facts]) -> SeedSpread | None:
    """The spread between seeds; None where the runs are not of one recipe, or their figures do not compare."""
    configs = [facts.record.config for facts in runs]
    seeds = tuple(config.seed for config in configs if config is not None)
    recipes = {config.model_copy(update=_NAMES).model_dump_json() if config is not None else "" for config in configs}
    if len(set(seeds)) < max(2, len(runs)) or len(recipes) > 1 or caveat(runs) is not None:
        return None
    ranges = []
    for name in SPREAD:
        values = [m.fine_tuned for facts in runs if (m := facts.metric(name)) is not None and m.fine_tuned is not None]
        if len(values) == len(runs):
            ranges.append((name, min(values), max(values)))
    return SeedSpread(seeds, tuple(ranges)) if ranges else None


def differing_settings(runs: Sequence[Facts]) -> tuple[list[SettingRow], list[SettingRow]]:
    """The settings with different values, and those that some runs do not state while the others agree."""
    tables = [dict(_about(facts)) for facts in runs]
    names = dict.fromkeys(name for table in tables for name in table)
    rows = [SettingRow(name, tuple(table.get(name) for table in tables)) for name in names]
    differing = [row for row in rows if len(set(row.values) - {None}) > 1]
    unstated = [row for row in rows if None in row.values and row not in differing and any(row.values)]
    return differing, unstated


def metric_rows(runs: Sequence[Facts]) -> list[MetricRow]:
    """A row for each metric that some run has."""
    rows = [MetricRow(name, tuple(_cell(facts, name) for facts in runs)) for name in METRICS]
    return [row for row in rows if any(row.cells)]


def caveat(runs: Sequence[Facts]) -> Caveat | None:
    """Why the figures must not be compared with each other; None where the test questions are the same."""
    hashes = {facts.run.id: facts.record.data.split_hash if facts.record.data else None for facts in runs}
    unknown = tuple(run_id for run_id, split_hash in hashes.items() if split_hash is None)
    if len({*hashes.values()} - {None}) > 1:
        return Caveat("different questions")
    if unknown:
        return Caveat("unknown questions", unknown)
    models = {facts.record.base_model.id if facts.record.base_model else None for facts in runs}
    if len(models) > 1:
        return Caveat("different base models")
    return Caveat("different losses") if len({_loss_of(facts) for facts in runs}) > 1 else None


def _loss_of(facts: Facts) -> tuple[object, ...]:
    """What decides which text a run's test loss is of, the split aside."""
    asked, protocol = facts.record.questions, facts.evaluation.protocol if facts.evaluation else None
    how = (asked.task, asked.preparation) if asked is not None else ()
    return (*how, *((protocol.loss_tokens, protocol.test_questions) if protocol is not None else ()))


HOW_ASKED = ("chat_template", "chat_template_sha", "fewshot_as_multiturn", "system_instruction_sha", "n_shot", "limit")
"""What an imported results file states of how the questions were asked."""


def asked_differently(runs: Sequence[Facts]) -> str:
    """Why imported exam results do not compare: they were asked in another way; empty where nothing says so."""
    stated = {f.run.id: f.record.imported.figures for f in runs if f.record.imported and f.record.imported.tasks}
    differing = []
    for name in HOW_ASKED:
        values = {run_id: show(figures.get(name)) for run_id, figures in stated.items()}
        if len(set(values.values())) > 1:
            said = ", ".join(f"{run_id}: {value}" for run_id, value in values.items())
            differing.append(f"{SETTINGS.get(name, name)[:1].lower()}{SETTINGS.get(name, name)[1:]} ({said})")
    if not differing:
        return ""
    return f"Their exams were not asked alike, so their accuracies do not compare: {'; '.join(differing)}."


def lowest_loss(runs: Sequence[Facts]) -> LowestLoss | None:
    """Which run's fine-tuned model has the lowest test loss; None where fewer than two have one.

    Only of runs without a `caveat` does that mean anything.
    """
    losses = {f.run.id: m.fine_tuned for f in runs if (m := f.metric("loss")) is not None and m.fine_tuned is not None}
    if len(losses) < 2:
        return None
    best = min(losses, key=lambda run_id: losses[run_id])
    first, second = sorted(losses.values())[:2]
    return LowestLoss(best, first, (second - first) / second)


def sentence(runs: Sequence[Facts]) -> str:
    """What these runs say together: why they do not compare, what chance moved, or which has the lowest test loss."""
    found = caveat(runs) or seed_spread(runs) or lowest_loss(runs)
    return found.sentence() if found is not None else "Fewer than two of these runs have a measured test loss."


def _cell(facts: Facts, name: str) -> MetricView | Figure | None:
    metric = one(facts, name)
    if metric is not None and metric.compared:
        return metric
    figure = figure_of(figures(facts), name)
    return None if figure.value is None else figure


def _about(facts: Facts) -> list[tuple[str, str]]:
    record = facts.record
    split, examples = (record.data.split, record.data.examples) if record.data else (None, None)
    rows = [
        ("Base model", record.base_model.id if record.base_model else None),
        ("Data", record.data.source if record.data else None),
        ("Training examples", f"{examples:,}" if examples is not None else None),
        ("Test questions", f"{split.test:,}" if split else None),
        ("Device", record.environment.device),
        ("Precision", record.precision),
    ]
    order = list(SETTINGS.values())
    stated = sorted(settings(facts), key=lambda row: order.index(row[0]) if row[0] in order else len(order))
    return [(label, text) for label, text in [*rows, *stated] if text and text != NOT_STATED]
