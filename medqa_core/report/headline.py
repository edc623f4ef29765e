"""The top of a write-up: title line, the four figures that matter, the limits in one line."""

from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from medqa_core.foundation.format import NOT_STATED, date, words
from medqa_core.report.blocks import Table
from medqa_core.report.facts import Facts
from medqa_core.report.figures import Figure, figures
from medqa_core.report.insights import limitations
from medqa_core.report.names import verdict_mark
from medqa_core.report.verdict import METRICS, change_text, is_compared, supported, value_text
from medqa_core.runs.run import Run

NOTE = "Research demo, not medical advice."
SHORT: dict[str, str] = {
    "not_finished": "unfinished run",
    "damaged": "a damaged file",
    "no_evaluation": "not evaluated",
    "no_base_figures": "no base figures",
    "no_mmlu": "no MMLU result",
    "mmlu_at_chance": "MMLU at chance",
    "no_predictions": "no data by question",
    "rouge_is_overlap": "ROUGE is overlap, not correctness",
    "few_validations": "no trend can be told",
    "left_out": "a source that leaves things out",
    "starter_text": "unreviewed demo text",
    "training_size": "a small training set",
    "truncated": "cut examples",
    "one_seed": "one seed",
}
"""A limitation in a few words, by its rule."""


@dataclass(frozen=True)
class Headline:
    """One of the four figures: base → fine-tuned, by how much, and what that means."""

    name: str
    label: str
    base: str
    fine_tuned: str
    change: str
    """With its interval; empty where nothing was compared."""
    verdict: str
    """With its sign; empty where nothing was compared."""
    origin: str


def title(run: Run | Facts) -> str:
    """`Run #2 · DistilGPT-2 on MedQuAD · 2025-10-11`."""
    facts = Facts.of(run)
    record = facts.record
    name = f"Run #{record.number}" if record.number is not None else f"Run {facts.run.id}"
    return f"{name} · {words(record.title, 120) or 'untitled'} · {date(record.created_at)}"


def four(run: Run | Facts) -> list[Headline]:
    """Loss, perplexity or bits per byte, ROUGE-L and MMLU."""
    facts = Facts.of(run)
    found = figures(facts)
    bits = _known(facts, found, "bits_per_byte") and not _known(facts, found, "perplexity")
    second = "bits_per_byte" if bits else "perplexity"
    return [_headline(facts, name, found) for name in ("loss", second, "rougeL", "mmlu")]


def four_table(run: Run | Facts) -> Table:
    """The four figures as a table."""
    rows = tuple((h.label, h.base, h.fine_tuned, h.change or "not compared", h.verdict or said(h)) for h in four(run))
    return Table(("Figure", "Base", "Fine-tuned", "Difference", "Verdict"), rows)


def said(headline: Headline) -> str:
    """What stands in place of a verdict: that the figure is the source's own, where it is."""
    return "reported" if headline.origin == "reported" else ""


def limits_line(run: Run | Facts) -> str:
    """The limits in one line."""
    facts = Facts.of(run)
    rules = dict.fromkeys(i.rule for i in limitations(facts))
    parts = [SHORT[rule] for rule in rules if rule in SHORT]
    unclear = [METRICS[rule.partition(":")[2]].label for rule in rules if rule.startswith("cannot_tell:")]
    parts = [f"cannot tell on {', '.join(unclear)}"] * bool(unclear) + parts
    return f"Limits: {'; '.join(parts)}. {NOTE}" if parts else NOTE


def place(name: str) -> str:
    """A model or source as its name; of a path on someone's disk only the last part."""
    text = words(name, 120)
    for path in (PurePosixPath(text), PureWindowsPath(text)):
        if path.is_absolute() or text.startswith(("~", ".")):
            return f"local: {path.name or text}"
    return text


def _known(facts: Facts, found: dict[str, Figure], name: str) -> bool:
    metric = facts.metric(name)
    return found[name].value is not None or (metric is not None and metric.base is not None)


def _headline(facts: Facts, name: str, found: dict[str, Figure]) -> Headline:
    metric, figure = facts.metric(name), found["test_loss" if name == "loss" else name]
    label = figure.label
    if metric is None or not is_compared(metric):
        base = NOT_STATED if metric is None else value_text(name, metric.base)
        return Headline(name, label, base, figure.text, "", "", figure.origin)
    change = "" if metric.difference is None else change_text(name, metric)
    return Headline(
        name,
        label,
        value_text(name, metric.base),
        value_text(name, metric.fine_tuned),
        change,
        verdict_mark(supported(name, metric)),
        figure.origin,
    )
