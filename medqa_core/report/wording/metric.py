"""A metric's figures in words: digits, signs, units, and what its test could see."""

from medqa_core.foundation.format import general, interval, number, percent, plural
from medqa_core.report.names import METRICS
from medqa_core.report.views.metric import MetricView


def value_text(name: str, value: float | None) -> str:
    """A metric's value with the digits it deserves."""
    if name == "mmlu":
        return percent(value)
    return number(None if value is None else float(value), METRICS[name].digits)


def values_text(metric: MetricView) -> str:
    """Base and fine-tuned with an arrow between."""
    return f"{value_text(metric.name, metric.base)} → {value_text(metric.name, metric.fine_tuned)}"


def change_text(metric: MetricView) -> str:
    """A metric's difference with its interval; MMLU in percentage points."""
    if metric.name == "mmlu":
        text = interval(metric.difference, metric.interval, 1, scale=100)
        return text if metric.difference is None else f"{text} points"
    return interval(metric.difference, metric.interval, max(2, metric.spec.digits - 1))


def level_text(level: float) -> str:
    """An interval's level: "95%"."""
    return f"{general(round(level * 100, 4))}%"


def size_number(name: str, size: float) -> str:
    """A difference without its sign and its unit, rounded to two digits; of MMLU in percentage points."""
    return number(float(size) * 100, 1) if name == "mmlu" else general(float(f"{abs(size):.2g}"))


def size_text(name: str, size: float) -> str:
    """A difference without its sign, rounded to two digits, with its unit."""
    unit = "percentage points" if name == "mmlu" else METRICS[name].unit
    return f"{size_number(name, size)} {unit}" if unit else size_number(name, size)


def detectable(metric: MetricView) -> str:
    """The smallest difference that the test would have found; empty where that is not known."""
    size = metric.min_detectable_effect
    if size is None or size <= 0:
        return ""
    asked = f" on {plural(metric.n, 'question')}" if metric.n else ""
    return f"the smallest difference that this test{asked} could have detected is about {size_text(metric.name, size)}"


def required(metric: MetricView) -> str:
    """How many questions a difference that matters would need; empty where that is not known."""
    if metric.required_n is None or not metric.margin:
        return ""
    asked, size = plural(metric.required_n, "question"), size_text(metric.name, metric.margin)
    return f"about {asked} would show a difference of {size}, the smallest that matters here"


def within_margin(metric: MetricView) -> str:
    """That a difference lies within the margin, with its size; empty where that is not known."""
    if not metric.margin:
        return ""
    size = size_text(metric.name, metric.margin)
    return f"less than {size} either way, the smallest difference that matters here"
