"""What speaks against a gain: broken answers, controls that are not beaten, copies, templates, what was not scored."""

from dataclasses import dataclass
from typing import Literal, get_args

from medqa_core.report.facts import Facts
from medqa_core.report.names import WORDING
from medqa_core.report.views.chance import accuracy
from medqa_core.report.views.controls import control_views
from medqa_core.report.views.copies import copies
from medqa_core.report.views.gain import Views, first
from medqa_core.report.views.metric import MetricView, clean

Kind = Literal[
    "diverged",
    "no_overlap_at_all",
    "repeats",
    "empty",
    "control",
    "copied",
    "leaks_unknown",
    "two_models",
    "no_clean_part",
    "not_on_clean_part",
    "no_controls",
    "templates",
    "unended",
    "partly_scored",
    "mmlu_at_chance",
]
"""The strongest first; those that forbid a "Yes" stand before the others."""
BROKEN = 0.9
"""Share of answers that are empty, or of their runs that repeat, from which on the answers are of no use."""
MOST = 0.5
"""The same from which on nothing is called a gain without reserve; so with copies."""
SHOWN = {"repeats": 0.2, "empty": 0.05, "copied": 0.1, "templates": 0.1}
"""Shares from which on a caveat is worth its words."""
UNENDED = 0.5
SCORED = 0.9
"""Share of the references' text that enters the loss, below which it is said."""
NOTHING = 0.005
"""ROUGE-L or another score of wording below this is none."""


@dataclass(frozen=True)
class Caveat:
    """One thing that speaks against a gain."""

    kind: Kind
    value: float | None = None
    """A share between 0 and 1, or a score."""
    other: float | None = None
    """What it is compared with: the base model's share, the fine-tuned model's score."""
    n: int | None = None
    """Questions that it is about."""
    control: str = ""
    """Its name in files, where it is about one."""
    metrics: tuple[str, ...] = ()
    blocks: bool = False
    """Whether no plain "Yes" can be said beside it."""
    broken: bool = False
    """Whether the fine-tuned model's answers are of no use."""


def caveats(facts: Facts, metrics: Views, clauses: tuple[MetricView, ...]) -> tuple[Caveat, ...]:
    """What speaks against a gain, the strongest first."""
    wording = first(metrics, WORDING)
    diverged = facts.snapshot.outcome.diverged
    found = [
        *([] if diverged is None else [Caveat("diverged", diverged[1], diverged[0], blocks=True)]),
        *_answers(facts, wording),
        *_controls(facts, wording),
        *_copies(facts),
        *_imported(facts),
        *_clean(facts, clauses),
        *_scored(facts),
    ]
    order = get_args(Kind)
    return tuple(sorted(found, key=lambda caveat: (not caveat.blocks, order.index(caveat.kind))))


def _answers(facts: Facts, wording: MetricView | None) -> list[Caveat]:
    found = []
    if wording is not None and wording.fine_tuned is not None and wording.fine_tuned < NOTHING:
        found.append(Caveat("no_overlap_at_all", wording.fine_tuned, metrics=(wording.name,), blocks=True, broken=True))
    if facts.evaluation is None or facts.evaluation.fine_tuned_generation is None:
        return found
    tuned, base = facts.evaluation.fine_tuned_generation, facts.evaluation.base_generation
    shares: tuple[tuple[Kind, float | None, float | None], ...] = (
        ("repeats", tuned.repetition, None if base is None else base.repetition),
        ("empty", tuned.empty_share, None if base is None else base.empty_share),
    )
    for kind, share, other in shares:
        if share is not None and share >= SHOWN[kind]:
            blocks, broken = share >= MOST, share >= BROKEN
            found.append(Caveat(kind, share, other, blocks=blocks, broken=broken))
    if tuned.template_share is not None and tuned.template_share >= SHOWN["templates"]:
        found.append(Caveat("templates", tuned.template_share, None if base is None else base.template_share))
    if tuned.ended_share is not None and tuned.ended_share < UNENDED:
        found.append(Caveat("unended", 1 - tuned.ended_share))
    return found


def _controls(facts: Facts, wording: MetricView | None) -> list[Caveat]:
    """Controls that the fine-tuned model does not beat on wording, or that nothing is known of."""
    reads = facts.record.questions is not None and facts.record.questions.task == "open_book"
    beaten, found = False, []
    for control in control_views(facts):
        if control.name == "top_passage" and not reads:
            continue  # stands in the place of a model that reads passages
        for metric in ((wording.name,) if wording is not None else ()) + ("content_f1",):
            against = control.fine_tuned.get(metric)
            if against is None or not against.compared:
                continue
            if against.verdict == "better":
                beaten = True
                continue
            values = against.base, against.fine_tuned, against.n
            found.append(Caveat("control", *values, control=control.name, metrics=(metric,), blocks=True))
            break
    if not beaten and not found:
        return [Caveat("no_controls", blocks=True)]
    # The strongest one is the one that scores best.
    return sorted(found, key=lambda caveat: -(caveat.value or 0.0))[:1]


def _copies(facts: Facts) -> list[Caveat]:
    tuned, base = (copies(facts.predictions, variant) for variant in ("fine_tuned", "base"))
    if tuned is None:
        return []
    share = tuned.copied / tuned.n
    other = None if base is None else base.copied / base.n
    return [Caveat("copied", share, other, tuned.n, blocks=share >= MOST)] if share >= SHOWN["copied"] else []


def _imported(facts: Facts) -> list[Caveat]:
    """What is not known of a model that was trained elsewhere."""
    asked, imported = facts.record.questions, facts.record.imported
    found = []
    if asked is not None and not facts.record.training_set_known:
        found.append(Caveat("leaks_unknown", blocks=True))
    if imported is not None and imported.model is not None and imported.model.kind == "other_model":
        found.append(Caveat("two_models"))
    return found


def _clean(facts: Facts, clauses: tuple[MetricView, ...]) -> list[Caveat]:
    """No question without overlap with training, or gains that are not found again on those."""
    if facts.record.questions is not None and not facts.record.training_set_known:
        return []
    subset = clean(facts)
    better = [metric for metric in clauses if metric.verdict == "better" and metric.name != "mmlu"]
    if better and not any(part.n and part.compared for part in subset.values()):
        return [Caveat("no_clean_part", blocks=True)]
    lost = [
        (metric.name, part.n)
        for metric in better
        if (part := subset.get(metric.name)) is not None and part.compared and part.n and part.n != metric.n
        if metric.verdict != part.verdict
    ]
    if not lost:
        return []
    return [Caveat("not_on_clean_part", n=lost[-1][1], metrics=tuple(name for name, _ in lost), blocks=True)]


def _scored(facts: Facts) -> list[Caveat]:
    found = []
    references = None if facts.evaluation is None else facts.evaluation.references
    if references is not None and references.scored_share is not None and references.scored_share < SCORED:
        found.append(Caveat("partly_scored", references.scored_share))
    tuned, base = accuracy(facts, "fine_tuned"), accuracy(facts, "base")
    if tuned is not None and not tuned.above and (base is None or not base.above):
        found.append(Caveat("mmlu_at_chance", tuned.share, None if base is None else base.share, tuned.n))
    return found
