"""What evaluation.json shows: each metric's verdict with its interval, and the kinds of question it comes from."""

from collections.abc import Iterator
from statistics import NormalDist

from medqa_core.foundation.format import count, listing, p_value, plural, words
from medqa_core.report.facts import Facts
from medqa_core.report.names import CONTENT, FAMILIES, METRICS, TOPIC, verdict_mark
from medqa_core.report.rules.insight import Insight
from medqa_core.report.views.metric import MetricView, metric_views, one
from medqa_core.report.wording.metric import change_text, level_text, values_text, within_margin
from medqa_core.runs.schema.evaluation import HOLM, holm

FEWEST_QUESTIONS = 10
"""A kind of question with fewer is not spoken of."""

ALIKE = (*FAMILIES, CONTENT, TOPIC)
"""Metrics that say nearly the same."""

WORDS = {"better": "is better", "worse": "is worse", "equivalent": "is about the same"}


def primary_verdict(facts: Facts) -> Iterator[Insight]:
    """The primary metric's verdict."""
    if facts.evaluation is not None:
        yield from _verdict(one(facts, str(facts.evaluation.primary_metric)))


def other_verdicts(facts: Facts) -> Iterator[Insight]:
    """The other metrics' verdicts, in the order of METRICS: of metrics that say nearly the same each verdict once."""
    if facts.evaluation is None:
        return
    primary = str(facts.evaluation.primary_metric)
    seen: set[tuple[int, str]] = set()
    for name in (primary, *(name for name in METRICS if name != primary)):
        metric = one(facts, name)
        if metric is None or not metric.compared:
            continue
        family = next((place for place, names in enumerate(ALIKE) if name in names), len(ALIKE))
        said = (family, metric.verdict)
        if name != primary and said not in seen:
            yield from _verdict(metric)
        seen.add(said)


def where_the_gain_is(facts: Facts) -> Iterator[Insight]:
    """The kind of question with the largest difference that many comparisons cannot explain."""
    for verdict in ("better", "worse"):
        found = significant_types(facts, verdict)
        if not found:
            continue
        kind, metric = found[0]
        overlapping = [other for other, m in _types(facts, metric.name) if other != kind and _overlap(metric, m)]
        sentence = (
            f"On {metric.label}, the largest change for the {verdict} that holds up is on "
            f"{_quoted(kind)} questions: {values_text(metric)}, {change_text(metric)} "
            f"({count(metric.n)} questions)."
        )
        if overlapping:
            sentence += (
                f" Its interval overlaps that of {listing([_quoted(o) for o in overlapping[:3]])}"
                f"{' and others' if len(overlapping) > 3 else ''}, so which kind changed most is inconclusive."
            )
        yield Insight(
            "where_the_gain_is" if verdict == "better" else "where_the_loss_is",
            sentence,
            tuple(f"evaluation.json, by_question_type, {_quoted(k)}: {change_text(m)}" for k, m in found[:5]),
            change_text(metric) + (f", {p_value(metric.p)}" if metric.p is not None else ""),
            f"no kind with at least {FEWEST_QUESTIONS} questions was {verdict}, corrected for the number of kinds",
        )


def significant_types(facts: Facts, verdict: str) -> list[tuple[str, MetricView]]:
    """Kinds of question with that verdict on the primary metric, largest difference first.

    P-values corrected for the number of kinds decide: those of the file where it says that they are, else Holm's
    correction of them here, of the interval's p-value where the file lacks one.
    """
    if facts.evaluation is None:
        return []
    name = str(facts.evaluation.primary_metric)
    types = _types(facts, name)
    if facts.evaluation.by_question_type_correction == HOLM:
        p_values = {kind: 1.0 if m.p is None else m.p for kind, m in types}
    else:
        p_values = holm({kind: _p(m) for kind, m in types})
    found = [(kind, m) for kind, m in types if p_values[kind] < 0.05 and m.verdict == verdict]
    return sorted(found, key=lambda item: (-abs(item[1].difference or 0.0), item[0]))


def _types(facts: Facts, name: str) -> list[tuple[str, MetricView]]:
    """Kinds of question with enough compared questions for one metric, by name."""
    if facts.evaluation is None:
        return []
    found = []
    for kind, metrics in sorted(facts.evaluation.by_question_type.items()):
        metric = metric_views(metrics.items()).get(name)
        if metric is not None and metric.compared and (metric.n or 0) >= FEWEST_QUESTIONS:
            found.append((kind, metric))
    return found


def _verdict(metric: MetricView | None) -> Iterator[Insight]:
    if metric is None or metric.verdict == "cannot tell":
        return
    verdict, change = metric.verdict, change_text(metric)
    asked = f" on {plural(metric.n, 'question')}" if metric.n is not None else ""
    yield Insight(
        "verdict",
        f"The fine-tuned model {WORDS[verdict]} on {metric.label}: {values_text(metric)}, "
        f"a difference of {change}{asked}.{_margin(metric)}",
        (
            f"evaluation.json, metrics, {metric.name}: {verdict_mark(verdict)}"
            + (f", {p_value(metric.p)}" if metric.p is not None else "")
            + (f", {plural(metric.groups, 'group')}" if metric.groups is not None else ""),
        ),
        change,
        f"the {level_text(metric.level)} interval of the difference included zero"
        if verdict != "equivalent"
        else f"the {level_text(metric.level)} interval of the difference reached beyond the margin of equivalence",
        subject=metric.name,
    )


def _margin(metric: MetricView) -> str:
    """What an `equivalent` means, where the file says."""
    within = within_margin(metric) if metric.verdict == "equivalent" else ""
    return f" Its interval lies within the margin: {within}." if within else ""


def _p(metric: MetricView) -> float:
    """The p-value, or what a normal curve makes of the interval; 1 where there is neither."""
    if metric.p is not None:
        return metric.p
    if metric.interval is None or metric.difference is None:
        return 1.0
    normal = NormalDist()
    half = abs(metric.interval[1] - metric.interval[0]) / 2
    error = half / normal.inv_cdf(0.5 + metric.level / 2)
    return 2 * (1 - normal.cdf(abs(metric.difference) / error)) if error else float(metric.difference == 0)


def _overlap(a: MetricView, b: MetricView) -> bool:
    if a.interval is None or b.interval is None:
        return True
    return min(a.interval) <= max(b.interval) and min(b.interval) <= max(a.interval)


def _quoted(kind: str) -> str:
    return f"“{words(kind, 60)}”"
