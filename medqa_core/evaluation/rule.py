"""The rule from a difference, its interval and its p-value to a verdict, and how many questions would be enough.

* `equivalent`: the whole 95% interval lies inside the margin below which a difference is of no practical weight
  (confidence interval inclusion: Westlake 1972; Schuirmann, "A comparison of the two one-sided tests procedure and the
  power approach", J. Pharmacokinetics and Biopharmaceutics 15, 1987). It takes precedence: on many questions a
  difference too small to matter becomes significant, and is not sold as "better". Two one-sided tests at 5% need a 90%
  interval only; the 95% interval used here is stricter, and is the one that readers are shown.
* `better`, `worse`: the interval lies on one side of zero and the test, corrected where several were made, agrees.
* `cannot tell`: anything else.
"""

import math

from scipy.special import ndtri

from medqa_core.runs.schema.evaluation import LOWER_IS_BETTER, Metric, Verdict

VERSION = 3
"""Counts up whenever the same rows would be judged otherwise: resampling, correction, margins, verdicts."""

LEVEL = 0.95
POWER = 0.8
"""With which the smallest detectable difference would be found."""

MARGINS = {
    "loss": 0.02,
    "perplexity": 0.15,
    "bits_per_byte": 0.005,
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
    if detectable is not None:
        half = (1 - LEVEL) / 2
        detectable *= float((ndtri(1 - half / tests) + ndtri(POWER)) / (ndtri(1 - half) + ndtri(POWER)))
    return decided(name, metric.model_copy(update={"p": p, "min_detectable_effect": detectable}))


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
