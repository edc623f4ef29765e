"""How two runs compare on the same test questions, in words."""

from medqa_core.evaluation.between_runs import BetweenRuns, Reason
from medqa_core.foundation.format import capital, count, listing, plural
from medqa_core.report.names import METRICS, SIGNS, verdict_word
from medqa_core.report.views.metric import MetricView, metric_views

_WHY: dict[Reason, str] = {
    "other tokens": "the runs cut the references into other tokens",
    "other text": "the runs read other parts of the references",
    "other references": "the runs were scored against another number of references",
}
CORRECTION = (
    "The fine-tuned models of both runs, question by question, whole topics resampled. p-values are corrected for the "
    "number of metrics (Holm), but for the primary one."
)


def views(found: BetweenRuns) -> dict[str, MetricView]:
    """The metrics that were compared, in the order in which metrics are listed; `base` is the first run's value."""
    known = metric_views(found.metrics.items())
    return {name: known[name] for name in METRICS if name in known}


def sentence(found: BetweenRuns) -> str:
    """What the second run is against the first, metric by metric."""
    by_verdict: dict[str, list[str]] = {verdict: [] for verdict in SIGNS}
    for name, metric in views(found).items():
        by_verdict[metric.verdict].append(METRICS[name].label)
    said = [f"{verdict_word(verdict)} by {listing(names)}" for verdict, names in by_verdict.items() if names]
    where = f"On {plural(found.questions, 'test question')} of both ({plural(found.groups, 'independent topic')})"
    if not said:
        return f"{where}, {found.second} and {found.first} have no metric in common."
    return f"{where}, {found.second} against {found.first} is {'; '.join(said)}."


def notes(found: BetweenRuns) -> list[str]:
    """What limits the comparison; a sentence each."""
    lines = []
    if not found.same_questions:
        lines.append(
            f"The runs were tested on different questions, {count(found.of_first)} and {count(found.of_second)}: all "
            f"figures here are of the {count(found.questions)} that both have."
        )
    for reason, why in _WHY.items():
        names = [METRICS[name].label for name, found_reason in found.left_out.items() if found_reason == reason]
        if names:
            lines.append(f"{capital(listing(names))} {'is' if len(names) == 1 else 'are'} left out: {why}.")
    return [*lines, CORRECTION]
