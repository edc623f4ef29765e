"""Did fine-tuning help? The answer that evaluation.json supports, as data: wording writes it down."""

from dataclasses import dataclass
from typing import Literal

from medqa_core.report.facts import Facts
from medqa_core.report.names import FAMILIES
from medqa_core.report.views.caveats import Caveat, caveats
from medqa_core.report.views.gain import Gain, content, gain
from medqa_core.report.views.metric import MetricView, whole
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Verdict

Word = Literal["Yes", "No", "Mixed", "Inconclusive"]
Missing = Literal["evaluation", "readable evaluation", "base figures", "paired figures"]
"""What a run lacks that has no answer."""


@dataclass(frozen=True)
class VerdictView:
    """The answer for one run; each part is a field of its own."""

    run_id: str
    imported: bool
    word: Word | None = None
    """None where nothing was compared; then `missing` says what is lacking."""
    missing: Missing | None = None
    clauses: tuple[MetricView, ...] = ()
    """One metric a family, the primary one first, each with its verdict."""
    gain: Gain | None = None
    """What kind of gain; None where there is one and nobody measured of what kind."""
    content: Verdict | None = None
    """The verdict on content; None where it was not measured."""
    caveats: tuple[Caveat, ...] = ()
    """What speaks against a gain, the strongest first."""
    unchanged: bool = False
    """Whether the training left the base model as it was."""
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
    if facts.evaluation_problem is not None:
        return VerdictView(run_id, imported, missing="readable evaluation")
    if facts.evaluation is None or not any(metric.known for metric in metrics.values()):
        return VerdictView(run_id, imported, missing="base figures" if imported else "evaluation")
    compared = {name: metric for name, metric in metrics.items() if metric.compared}
    primary = str(facts.evaluation.primary_metric)
    clauses = _one_a_family(compared, primary)
    if not clauses:
        no_base = all(metric.base is None for metric in metrics.values())
        return VerdictView(run_id, imported, missing="base figures" if no_base else "paired figures")
    against = caveats(facts, compared, clauses)
    unchanged = facts.snapshot.outcome.unchanged
    judged = _about_content(facts, compared)
    kind, said = gain(judged, any(caveat.kind == "control" for caveat in against)), content(judged)
    return VerdictView(
        run_id,
        imported,
        word="No" if unchanged else _word([one.verdict for one in clauses], kind, said, against),
        clauses=clauses,
        gain=kind,
        content=said,
        caveats=() if unchanged else against,
        unchanged=unchanged,
        primary=primary,
    )


def _about_content(facts: Facts, compared: dict[str, MetricView]) -> dict[str, MetricView]:
    """What a gain in content is judged by: of models that read passages, nothing about the topic's worth.

    Asked about another topic they read other passages: how much worse a model then predicts the reference says how
    closely it follows them, and not what it says about a topic.
    """
    protocol = facts.evaluation.protocol if facts.evaluation else None
    left_out = {"topic_information"} if protocol is not None and protocol.retrieval is not None else set[str]()
    return {name: metric for name, metric in compared.items() if name not in left_out}


def _one_a_family(compared: dict[str, MetricView], primary: str) -> tuple[MetricView, ...]:
    names = [primary] if primary in compared else []
    for family in FAMILIES:
        if primary in family and names:
            continue
        names += [name for name in family if name in compared][:1]
    return tuple(compared[name] for name in names)


def _word(verdicts: list[Verdict], kind: Gain | None, said: Verdict | None, against: tuple[Caveat, ...]) -> Word:
    """The answer in a word; the first verdict is the primary metric's, `said` that on content.

    "Yes" needs all of it: the primary metric and content better, nothing worse, and no caveat that forbids it.
    """
    if any(caveat.broken for caveat in against):
        return "No"
    better, worse = ("better" in verdicts or said == "better"), ("worse" in verdicts or said == "worse")
    if not better:
        return "No" if worse or verdicts[0] == "equivalent" else "Inconclusive"
    whole = verdicts[0] == "better" and kind in ("content", "both") and not worse
    return "Yes" if whole and not any(caveat.blocks for caveat in against) else "Mixed"
