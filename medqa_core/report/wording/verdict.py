"""The answer to "Did fine-tuning help?" in words: the answer, what limits it, and the figures behind it."""

import math
from dataclasses import dataclass

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import capital, count, listing, plural
from medqa_core.report.facts import Facts
from medqa_core.report.names import FAMILIES, LOSS, METRICS, WORDING
from medqa_core.report.views.metric import MetricView
from medqa_core.report.views.verdict import CleanCaveat, VerdictView, verdict_view
from medqa_core.report.wording.metric import change_text, detectable, level_text, values_text, within_margin
from medqa_core.runs.run import Run

NO_OVERLAP = "no 13-word overlap with the training data"
"""What makes a test question part of the clean subset."""

_PLAIN = {
    LOSS: "{who} predicts the reference answers {how}",
    WORDING: "{whose} answers share {how} words with {them}",
    ("mmlu",): "{when}MMLU accuracy is {how}",
}
_HOW = {
    LOSS: {"better": "better", "worse": "less well", "equivalent": "about as well as before"},
    WORDING: {"better": "more", "worse": "fewer", "equivalent": "about as many"},
    ("mmlu",): {"better": "higher", "worse": "lower", "equivalent": "unchanged"},
}
_MISSING = {
    "base figures": "{who} no base figures, so this run cannot say whether fine-tuning helped.",
    "paired figures": "{who} no paired figures, so this run cannot say whether fine-tuning helped.",
    "evaluation": (
        "This run has not been evaluated, so whether fine-tuning helped is not known. "
        f"Measure it with `{PROGRAM} evaluate {{run}}`."
    ),
}


@dataclass(frozen=True)
class VerdictText:
    """The verdict in words, part by part; a part with nothing to say is empty."""

    answer: str
    caveat: str = ""
    figures: str = ""

    @property
    def plain(self) -> str:
        """The answer with its caveat, without figures."""
        return " ".join(part for part in (self.answer, self.caveat) if part)

    @property
    def whole(self) -> str:
        """Everything, as one paragraph."""
        return " ".join(part for part in (self.answer, self.caveat, self.figures) if part)


def verdict_text(view: VerdictView) -> VerdictText:
    """A verdict's three parts."""
    if view.missing is not None:
        who = "The source reports" if view.imported else "The evaluation holds"
        return VerdictText(_MISSING[view.missing].format(who=who, run=view.run_id))
    answer = _answer(view)
    answer = f"As the source reports it, {answer}" if view.imported else capital(answer)
    figures = _figures(view.clauses[0], view.primary)
    return VerdictText(answer, _caveat(view.caveat) if view.caveat else "", figures)


def sentence(run: Run | Facts) -> str:
    """The plain answer with its uncertainty."""
    return verdict_text(verdict_view(run)).whole


def plainly(metric: MetricView, before: str | None) -> str:
    """A metric's verdict in everyday words, the metric's name behind it.

    `before`: the metric of the clause before it; None where the clause opens the sentence and says whom it speaks of.
    """
    family, first = next(family for family in FAMILIES if metric.name in family), before is None
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
    """`yes: after fine-tuning the model …; whether it … cannot be told.` Told first, in the order of the metrics."""
    told = [metric for metric in view.clauses if metric.verdict != "cannot tell"]
    unclear = [metric for metric in view.clauses if metric.verdict == "cannot tell"]
    order = [metric.verdict for metric in told]
    groups: dict[str, list[str]] = {}
    before: str | None = None
    for metric in sorted(told, key=lambda metric: order.index(metric.verdict)):
        groups.setdefault(metric.verdict, []).append(plainly(metric, before))
        before = metric.name
    parts = [listing(clauses) for clauses in groups.values()]
    if {"better", "worse"} <= set(groups):
        parts[1] = f"but {parts[1]}"
    clauses = []
    for metric in unclear:
        clauses.append(plainly(metric, before))
        before = metric.name
    if not told:
        return f"cannot tell whether {' or '.join(clauses)}."
    parts += [f"whether {' or '.join(clauses)} cannot be told"] * bool(clauses)
    return f"{view.answer}: {'; '.join(parts)}."


def _caveat(caveat: CleanCaveat) -> str:
    gains = listing([METRICS[name].label for name in caveat.metrics])
    asked = plural(caveat.n, "question")
    return f"On the {asked} whose reference answer has {NO_OVERLAP}, the gain on {gains} is not confirmed."


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
