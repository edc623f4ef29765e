"""The rule from a difference, its interval and its p-value to a verdict, and how many questions would be enough.

* `equivalent`: the whole 95% interval lies inside the margin below which a difference is of no practical weight
  (confidence interval inclusion: Westlake 1972; Schuirmann, "A comparison of the two one-sided tests procedure and the
  power approach", J. Pharmacokinetics and Biopharmaceutics 15, 1987). It takes precedence: on many questions a
  difference too small to matter becomes significant, and is not sold as "better". Two one-sided tests at 5% need a 90%
  interval only; the 95% interval used here is stricter, and is the one that readers are shown.
* `better`, `worse`: the interval lies on one side of zero and the test, corrected where several were made, agrees.
* `cannot tell`, shown as "inconclusive": anything else.

Perplexity and bits per byte are the loss in other units: their intervals, margins and verdicts are the loss's.
"""

import math
from collections.abc import Callable

from scipy.special import ndtri

from medqa_core.runs.schema.evaluation import LOWER_IS_BETTER, Metric, Verdict

VERSION = 3
"""Counts up whenever the same rows would be judged otherwise: resampling, correction, margins, verdicts."""

LEVEL = 0.95
POWER = 0.8
"""With which the smallest detectable difference would be found."""

MIN_GROUPS = 10
"""Below this many groups nothing is judged: at 5 no p-value is below 0.06, and at 9 a corrected one seldom is."""

MARGINS = {
    "loss": 0.02,
    "loss_outside_templates": 0.02,
    "topic_information": 0.02,
    "rouge1": 0.01,
    "rouge2": 0.01,
    "rougeL": 0.01,
    "token_f1": 0.01,
    "rougeL_outside_templates": 0.01,
    "token_f1_outside_templates": 0.01,
    "content_f1": 0.01,
    "specifics": 0.01,
    "mmlu": 0.02,
}
"""Differences smaller than this are of no practical weight: the margin of `equivalent`, in the metric's unit."""

UNBOUNDED = frozenset({"loss", "loss_outside_templates", "topic_information"})
"""Metrics that are no share between 0 and 1."""

MOST_QUESTIONS = 10**7
"""Nobody has a larger test set; such a number is not stated."""


def decided(name: str, metric: Metric, *, reason: str | None = None) -> Metric:
    """`metric` with its margin, its verdict and, where that is `cannot tell`, how many questions would be enough.

    Args:
        name: the metric; it decides which direction is better and the margin.
        metric: its figures, interval and p-value; without an interval nothing can be told.
        reason: why nothing can be told, where that is so.
    """
    margin = MARGINS.get(name)
    verdict: Verdict = "cannot tell" if reason is not None else _verdict(name, metric, margin or 0.0)
    required = None if reason is not None or verdict != "cannot tell" else _required_n(metric, margin)
    update = {"margin": margin, "verdict": verdict, "required_n": required, "reason": reason}
    return metric.model_copy(update=update)


def with_p(name: str, metric: Metric, p: float, tests: float = 1) -> Metric:
    """`metric` with a corrected p-value, and the verdict that follows from it.

    Args:
        tests: how many tests it is corrected for. What it could have detected grows with them, here by Bonferroni's
            level, which is that of Holm's first step.
    """
    if metric.ci is None or metric.difference is None or metric.reason is not None:
        return metric
    detectable = metric.min_detectable_effect
    if metric.groups and tests * 2.0 ** (1 - metric.groups) > 1 - LEVEL:
        detectable = None  # not even if every group changed in the same direction
    if detectable is not None:
        half = (1 - LEVEL) / 2
        detectable *= float((ndtri(1 - half / tests) + ndtri(POWER)) / (ndtri(1 - half) + ndtri(POWER)))
    return decided(name, metric.model_copy(update={"p": p, "min_detectable_effect": detectable}))


def perplexity(loss: Metric) -> Metric:
    """The loss's judgement in units of perplexity, exp(loss)."""
    if loss.base is None or loss.fine_tuned is None or loss.difference is None:
        return loss.model_copy(update={"margin": None})
    try:
        base, tuned = math.exp(loss.base), math.exp(loss.fine_tuned)
    except OverflowError:
        reason = "Too large to be written as a number for at least one model."
        return decided("perplexity", Metric(n=loss.n, groups=loss.groups), reason=reason)
    return _rescaled(loss, base, tuned, lambda nats: base * math.expm1(nats))


def bits_per_byte(loss: Metric, tokens: float, size: float) -> Metric:
    """The loss's judgement in bits per byte.

    Args:
        loss: in nats per token.
        tokens: of the references that it is about.
        size: of the same references, in bytes.
    """
    if loss.base is None or loss.fine_tuned is None:
        return loss.model_copy(update={"margin": None})
    factor = tokens / size / math.log(2)
    return _rescaled(loss, loss.base * factor, loss.fine_tuned * factor, lambda nats: nats * factor)


def _rescaled(loss: Metric, base: float, tuned: float, change: Callable[[float], float]) -> Metric:
    """`loss` in other units; `change`: from a change of the loss to one in them."""

    def changed(nats: float | None) -> float | None:
        """None also where it is too large to be written as a number, as of a model that diverged."""
        try:
            return None if nats is None or not math.isfinite(found := change(nats)) else found
        except OverflowError:
            return None

    ci = None if loss.ci is None else (changed(loss.ci[0]), changed(loss.ci[1]))
    return loss.model_copy(
        update={
            "base": base,
            "fine_tuned": tuned,
            "difference": tuned - base,
            "ci": None if ci is None or None in ci else ci,
            "margin": changed(loss.margin),
            "min_detectable_effect": changed(loss.min_detectable_effect),
        }
    )


def _verdict(name: str, metric: Metric, margin: float) -> Verdict:
    if metric.ci is None or metric.difference is None or metric.p is None:
        return "cannot tell"
    low, high = metric.ci
    if -margin < low and high < margin:
        return "equivalent"
    if metric.p <= 1 - LEVEL and (low > 0 or high < 0):
        return "better" if (metric.difference < 0) == (name in LOWER_IS_BETTER) else "worse"
    return "cannot tell"


def _required_n(metric: Metric, margin: float | None) -> int | None:
    """The test size with which a difference as small as the margin would be found in four of five tries.

    The smallest detectable difference shrinks with the root of the number of questions, if new ones come on new topics
    at the same rate. None where that is no more than there are: then the difference itself lies near the margin, which
    no number of questions is sure to decide.
    """
    if not metric.n or not metric.min_detectable_effect or not margin:
        return None
    ratio = metric.min_detectable_effect / margin
    needed = metric.n * ratio * ratio
    if not metric.n < needed <= MOST_QUESTIONS:
        return None
    return math.ceil(math.ceil(needed) / 10) * 10
