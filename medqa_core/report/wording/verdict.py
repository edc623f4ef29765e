"""The answer to "Did fine-tuning help?" in words: a word with the kind of gain, what limits it, and the figures."""

import math
from dataclasses import dataclass

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import capital, count, listing
from medqa_core.report.facts import Facts
from medqa_core.report.names import CONTENT, LOSS, METRICS, TOPIC, WORDING
from medqa_core.report.views.metric import MetricView
from medqa_core.report.views.verdict import VerdictView, verdict_view
from medqa_core.report.wording.caveats import caveats_text
from medqa_core.report.wording.metric import change_text, detectable, level_text, values_text, within_margin
from medqa_core.runs.run import Run

_PLAIN = {
    LOSS: "{who} predicts the reference answers {how}",
    WORDING: "{whose} answers share {how} words with {them}",
    ("mmlu",): "{when}MMLU accuracy is {how}",
    CONTENT: "{whose} answers hold {how} of the content of {them}",
    TOPIC: "{who} predicts what is particular to a topic {how}",
}
"""By kind of metric. Content and topic come to word where an evaluation names one of theirs as its primary metric."""
_HOW = {
    LOSS: {"better": "better", "worse": "less well", "equivalent": "about as well as before"},
    WORDING: {"better": "more", "worse": "fewer", "equivalent": "about as many"},
    ("mmlu",): {"better": "higher", "worse": "lower", "equivalent": "unchanged"},
    CONTENT: {"better": "more", "worse": "less", "equivalent": "about as much"},
    TOPIC: {"better": "better", "worse": "less well", "equivalent": "about as well as before"},
}
_MISSING = {
    "base figures": "{who} no base figures, so this run cannot say whether fine-tuning helped.",
    "paired figures": "{who} no paired figures, so this run cannot say whether fine-tuning helped.",
    "evaluation": (
        "This run has not been evaluated, so whether fine-tuning helped is not known. "
        f"Measure it with `{PROGRAM} evaluate {{run}}`."
    ),
    "readable evaluation": (
        "The evaluation of this run cannot be read (evaluation.json is damaged, or of a newer version), so whether "
        "fine-tuning helped is not known. {again}"
    ),
}


@dataclass(frozen=True)
class VerdictText:
    """The verdict in words, part by part; a part with nothing to say is empty."""

    answer: str
    caveat: str = ""
    figures: str = ""

    @property
    def whole(self) -> str:
        """Everything, as one paragraph."""
        return " ".join(part for part in (self.answer, self.caveat, self.figures) if part)


def verdict_text(view: VerdictView) -> VerdictText:
    """A verdict's three parts."""
    if view.missing is not None:
        who = "The source reports" if view.imported else "The evaluation holds"
        again = f"Measure it again with `{PROGRAM} evaluate {view.run_id}`, which replaces the file."
        again = "Import the run again from its source." if view.imported else again
        said = _MISSING[view.missing].format(who=who, run=view.run_id, again=again)
        return VerdictText(said)
    answer = _answer(view)
    answer = f"As the source reports it, {answer[0].lower()}{answer[1:]}" if view.imported else answer
    return VerdictText(answer, caveats_text(view.caveats), _figures(view.clauses[0], view.primary))


def sentence(run: Run | Facts) -> str:
    """The plain answer with its uncertainty."""
    return verdict_text(verdict_view(run)).whole


def plainly(metric: MetricView, before: str | None) -> str:
    """A metric's verdict in everyday words, the metric's name behind it.

    `before`: the metric of the clause before it; None where the clause opens the sentence and says whom it speaks of.
    """
    family, first = next(family for family in _PLAIN if metric.name in family), before is None
    how = _HOW[family].get(metric.verdict, _HOW[family]["better"])  # what cannot be told is whether it became better
    said = _PLAIN[family].format(
        who="after fine-tuning the model" if first else "it",
        whose="after fine-tuning the model’s" if first else "its own",
        when="after fine-tuning, " if first else "",
        them="them" if before in LOSS else "the reference answers",
        how=how,
    )
    return said if family == ("mmlu",) else f"{said} ({metric.label})"


def _answer(view: VerdictView) -> str:
    """`Mixed: after fine-tuning …, a gain in form; whether … is inconclusive.` Clear verdicts first."""
    if view.unchanged:
        return "No: training left the weights as they were, so the fine-tuned model is the base model."
    told = [metric for metric in view.clauses if metric.verdict != "cannot tell"]
    unclear = [metric for metric in view.clauses if metric.verdict == "cannot tell"]
    order = [metric.verdict for metric in told]
    groups: dict[str, list[str]] = {}
    before: str | None = None
    for metric in sorted(told, key=lambda metric: order.index(metric.verdict)):
        groups.setdefault(metric.verdict, []).append(plainly(metric, before))
        before = metric.name
    parts = {verdict: listing(clauses) for verdict, clauses in groups.items()}
    if {"better", "worse"} <= set(groups):
        second = list(groups)[1]
        parts[second] = f"but {parts[second]}"
    clauses = []
    for metric in unclear:
        clauses.append(plainly(metric, before))
        before = metric.name
    said = _kind(view)
    if said:
        parts["better"] = f"{parts['better']}; {said}" if "better" in parts else said
    broken = ["its answers are of no use"] * any(caveat.broken for caveat in view.caveats)
    open_ = [f"whether {' or '.join(clauses)} is inconclusive"] * bool(clauses)
    return f"{view.word}: {'; '.join([*broken, *parts.values(), *open_])}."


def _kind(view: VerdictView) -> str:
    """What kind of gain it is, and what became of the content; empty where nothing was gained or lost."""
    fell = "what the answers say beyond templates and the question got worse (content)"
    if view.gain is None:
        return "whether that is a gain in form or in content was not measured"
    if view.gain == "none":
        return fell if view.content == "worse" else ""
    if view.gain == "form":
        rest = {"worse": f"while {fell}", "equivalent": "not in content"}
        return (
            f"this is a gain in form, {rest.get(view.content or '', 'and whether content was gained is inconclusive')}"
        )
    return "this is a gain in form and in content" if view.gain == "both" else "this is a gain in content"


def _figures(metric: MetricView, primary: str) -> str:
    """The first metric's figures: from what to what, by how much, on how many questions."""
    what = "the primary metric"
    if metric.name != primary:
        what = f"shown because the primary metric, {METRICS[primary].label}, was not compared"
    unit = f" {metric.spec.unit}" if metric.spec.unit and metric.name != "mmlu" else ""
    text = f"{capital(metric.label)}, {what}: {values_text(metric)}{unit}"
    if metric.difference is not None and math.isfinite(metric.difference):
        text += f", a difference of {change_text(metric)}"
    about = [f"{level_text(metric.level)} interval"] * (metric.interval is not None and metric.difference is not None)
    about += [f"{count(metric.n)} questions"] * (metric.n is not None)
    text = f"{text} ({', '.join(about)})." if about else f"{text}."
    if metric.verdict == "equivalent" and (margin := within_margin(metric)):
        text += f" The interval lies within the margin: {margin}."
    if metric.verdict == "cannot tell" and (limit := detectable(metric)):
        text += f" {capital(limit)}."
    return text
