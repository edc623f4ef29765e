"""Did fine-tuning help? The answer that evaluation.json supports, as data: wording writes it down."""

from dataclasses import dataclass
from typing import Literal

from medqa_core.report.facts import Facts
from medqa_core.report.names import FAMILIES
from medqa_core.report.views.metric import MetricView, clean, whole
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Verdict

Answer = Literal["yes", "in part", "no", "about the same", "cannot tell"]
Missing = Literal["evaluation", "base figures", "paired figures"]
"""What a run lacks that has no answer."""


@dataclass(frozen=True)
class CleanCaveat:
    """Gains that the clean subset does not confirm: they may be memory."""

    metrics: tuple[str, ...]
    n: int
    """Questions of the clean subset."""


@dataclass(frozen=True)
class VerdictView:
    """The answer for one run; each part is a field of its own."""

    run_id: str
    imported: bool
    answer: Answer | None = None
    """None where nothing was compared; then `missing` says what is lacking."""
    missing: Missing | None = None
    clauses: tuple[MetricView, ...] = ()
    """One metric a family, the primary one first, each with its verdict."""
    caveat: CleanCaveat | None = None
    primary: str = ""
    """The primary metric's name; where it was not compared, the first clause stands in for it."""

    @property
    def figures(self) -> MetricView | None:
        """The metric whose figures stand behind the answer."""
        return self.clauses[0] if self.clauses else None


def verdict_view(run: Run | Facts) -> VerdictView:
    """The plain answer with what it rests on."""
    facts = Facts.of(run)
    metrics = whole(facts)
    run_id, imported = facts.run.id, facts.imported
    if facts.evaluation is None or not any(metric.known for metric in metrics.values()):
        return VerdictView(run_id, imported, missing="base figures" if imported else "evaluation")
    compared = {name: metric for name, metric in metrics.items() if metric.compared}
    if not compared:
        no_base = all(metric.base is None for metric in metrics.values())
        return VerdictView(run_id, imported, missing="base figures" if no_base else "paired figures")
    primary = str(facts.evaluation.primary_metric)
    clauses = _one_a_family(compared, primary)
    return VerdictView(
        run_id,
        imported,
        answer=_answer([metric.verdict for metric in clauses]),
        clauses=clauses,
        caveat=_caveat(clauses, clean(facts)),
        primary=primary,
    )


def _one_a_family(compared: dict[str, MetricView], primary: str) -> tuple[MetricView, ...]:
    names = [primary] if primary in compared else []
    for family in FAMILIES:
        if primary in family and names:
            continue
        names += [name for name in family if name in compared][:1]
    return tuple(compared[name] for name in names)


def _answer(verdicts: list[Verdict]) -> Answer:
    """The answer in a word or two; the first verdict is the primary metric's."""
    if "better" in verdicts:
        return "yes" if verdicts[0] == "better" and "worse" not in verdicts else "in part"
    return "no" if "worse" in verdicts else "cannot tell" if verdicts[0] == "cannot tell" else "about the same"


def _caveat(clauses: tuple[MetricView, ...], subset: dict[str, MetricView]) -> CleanCaveat | None:
    """Gains that are not found again where training held no piece of the reference."""
    lost = [
        (metric.name, part.n)
        for metric in clauses
        if (part := subset.get(metric.name)) is not None and part.compared and part.n and part.n != metric.n
        if metric.verdict == "better" != part.verdict
    ]
    return CleanCaveat(tuple(name for name, _ in lost), lost[-1][1]) if lost else None
