"""How fine a test was: the smallest difference that it could have seen, its margin, the questions that settle it."""

from medqa_core.foundation.format import general, number, plural
from medqa_core.report.names import METRICS
from medqa_core.runs.schema.evaluation import Metric


def size_text(name: str, size: float) -> str:
    """A difference without its sign, rounded to two digits, with its unit; MMLU in percentage points."""
    if name == "mmlu":
        return f"{number(float(size) * 100, 1)} percentage points"
    unit = METRICS[name].unit
    return general(float(f"{abs(size):.2g}")) + (f" {unit}" if unit else "")


def smallest(name: str, metric: Metric) -> str:
    """The smallest difference that the test would have found; empty where that is not known."""
    size = metric.min_detectable_effect
    if size is None or size <= 0:
        return ""
    asked = f" on {plural(metric.n, 'question')}" if metric.n else ""
    return f"the smallest difference that this test{asked} could have seen is about {size_text(name, size)}"


def settles(name: str, metric: Metric) -> str:
    """How many questions would settle a difference that matters; empty where that is not known."""
    if metric.required_n is None or not metric.margin:
        return ""
    asked = plural(metric.required_n, "question")
    return f"about {asked} would show a difference of {size_text(name, metric.margin)}, the smallest that matters here"


def within(name: str, metric: Metric) -> str:
    """That a difference lies within the margin, with its size; empty where that is not known."""
    if not metric.margin:
        return ""
    return f"less than {size_text(name, metric.margin)} either way, the smallest difference that matters here"
