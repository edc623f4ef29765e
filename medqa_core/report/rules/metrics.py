"""What evaluation.json shows: each metric's verdict with its interval, and the kinds of question it comes from."""

from collections.abc import Iterator
from statistics import NormalDist

from medqa_core.foundation.format import count, listing, p_value, plural, words
from medqa_core.report import precision
from medqa_core.report.facts import Facts
from medqa_core.report.names import verdict_mark
from medqa_core.report.rules.insight import Insight
from medqa_core.report.verdict import METRICS, change_text, is_compared, level_text, supported, values_text
from medqa_core.runs.schema.evaluation import HOLM, Metric, holm

FEWEST_QUESTIONS = 10
"""A kind of question with fewer is not spoken of."""

WORDS = {"better": "is better", "worse": "is worse", "equivalent": "is about the same"}


def primary_verdict(facts: Facts) -> Iterator[Insight]:
    """The primary metric's verdict."""
    if facts.evaluation is not None:
        yield from _verdicts(facts, [str(facts.evaluation.primary_metric)])


def other_verdicts(facts: Facts) -> Iterator[Insight]:
    """The other metrics' verdicts, in the order of METRICS."""
    if facts.evaluation is not None:
        yield from _verdicts(facts, [name for name in METRICS if name != facts.evaluation.primary_metric])


def where_the_gain_is(facts: Facts) -> Iterator[Insight]:
    """The kind of question with the largest difference that many comparisons cannot explain."""
    for verdict in ("better", "worse"):
        found = significant_types(facts, verdict)
        if not found:
            continue
        name = str(facts.evaluation.primary_metric) if facts.evaluation else ""
        kind, metric = found[0]
        overlapping = [other for other, m in _types(facts, name) if other != kind and _overlap(metric, m)]
        sentence = (
            f"On {METRICS[name].label}, the largest change for the {verdict} that holds up is on "
            f"{_quoted(kind)} questions: {values_text(name, metric)}, {change_text(name, metric)} "
            f"({count(metric.n)} questions)."
        )
        if overlapping:
            sentence += (
                f" Its interval overlaps that of {listing([_quoted(o) for o in overlapping[:3]])}"
                f"{' and others' if len(overlapping) > 3 else ''}, so which kind changed most is not settled."
            )
        yield Insight(
            "where_the_gain_is" if verdict == "better" else "where_the_loss_is",
            sentence,
            tuple(f"evaluation.json, by_question_type, {_quoted(k)}: {change_text(name, m)}" for k, m in found[:5]),
            change_text(name, metric) + (f", {p_value(metric.p)}" if metric.p is not None else ""),
            f"no kind with at least {FEWEST_QUESTIONS} questions were {verdict}, corrected for the number of kinds",
        )


def significant_types(facts: Facts, verdict: str) -> list[tuple[str, Metric]]:
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
    found = [(kind, m) for kind, m in types if p_values[kind] < 0.05 and supported(name, m) == verdict]
    return sorted(found, key=lambda item: (-abs(item[1].difference or 0.0), item[0]))


def _types(facts: Facts, name: str) -> list[tuple[str, Metric]]:
    """Kinds of question with enough compared questions for one metric, by name."""
    if facts.evaluation is None:
        return []
    found = []
    for kind, metrics in sorted(facts.evaluation.by_question_type.items()):
        metric = next((m for n, m in metrics.items() if n == name), None)
        if metric is not None and is_compared(metric) and (metric.n or 0) >= FEWEST_QUESTIONS:
            found.append((kind, metric))
    return found


def _verdicts(facts: Facts, names: list[str]) -> Iterator[Insight]:
    for name in names:
        metric = facts.metric(name)
        verdict = supported(name, metric) if metric is not None else "cannot tell"
        if metric is None or verdict == "cannot tell":
            continue
        spec, change = METRICS[name], change_text(name, metric)
        asked = f" on {plural(metric.n, 'question')}" if metric.n is not None else ""
        yield Insight(
            f"verdict:{name}",
            f"The fine-tuned model {WORDS[verdict]} on {spec.label}: {values_text(name, metric)}, "
            f"a difference of {change}{asked}.{_margin(name, metric, verdict)}",
            (
                f"evaluation.json, metrics, {name}: {verdict_mark(verdict)}"
                + (f", {p_value(metric.p)}" if metric.p is not None else "")
                + (f", {plural(metric.groups, 'group')}" if metric.groups is not None else ""),
            ),
            change,
            f"the {level_text(metric)} interval of the difference included zero"
            if verdict != "equivalent"
            else f"the {level_text(metric)} interval of the difference reached beyond the margin of equivalence",
        )


def _margin(name: str, metric: Metric, verdict: str) -> str:
    """What an `equivalent` means, where the file says."""
    within = precision.within(name, metric) if verdict == "equivalent" else ""
    return f" Its interval lies within the margin: {within}." if within else ""


def _p(metric: Metric) -> float:
    """The p-value, or what a normal curve makes of the interval; 1 where there is neither."""
    if metric.p is not None:
        return metric.p
    if metric.ci is None or metric.difference is None:
        return 1.0
    normal = NormalDist()
    half = abs(metric.ci[1] - metric.ci[0]) / 2
    error = half / normal.inv_cdf(0.5 + (metric.level or 0.95) / 2)
    return 2 * (1 - normal.cdf(abs(metric.difference) / error)) if error else float(metric.difference == 0)


def _overlap(a: Metric, b: Metric) -> bool:
    if a.ci is None or b.ci is None:
        return True
    return min(a.ci) <= max(b.ci) and min(b.ci) <= max(a.ci)


def _quoted(kind: str) -> str:
    return f"“{words(kind, 60)}”"
