"""A share with an interval that holds whenever one looks, for trials that come in one by one.

An interval made for a number of trials fixed beforehand, looked at after every trial, sooner or later excludes the
truth. A confidence sequence covers the true share at every number of trials at once, 19 times in 20: the
beta-binomial mixture with a uniform prior (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import lgamma, log, log1p

from medqa_core.runs.schema.evaluation import Verdict

ALPHA = 0.05
"""The chance that the truth is outside the interval at any number of trials at all."""
HALVINGS = 50
"""Of the interval in which a bound is looked for: beyond this a float has no more digits."""


def confidence_sequence(hits: int, n: int) -> tuple[float, float]:
    """All shares p that `hits` out of `n` independent trials do not contradict; 0 to 1 without a trial.

    p is contradicted where the likelihood averaged over all shares is 1 / ALPHA times that of p or more. Under the
    true p this ratio is a martingale that starts at 1, so it ever gets there with a chance of ALPHA at most (Ville).

    Raises:
        ValueError: not 0 <= hits <= n.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} hits out of {n} trials")
    mixture = lgamma(hits + 1) + lgamma(n - hits + 1) - lgamma(n + 2)

    def contradicted(p: float) -> bool:
        return mixture - hits * log(p) - (n - hits) * log1p(-p) >= -log(ALPHA)

    # At the observed share the ratio is at most 1, and it grows without end towards 0 and 1 where these are excluded.
    seen = hits / n if n else 0.5
    low = _bound(0.0, seen, contradicted) if hits else 0.0
    high = _bound(1.0, seen, contradicted) if hits < n else 1.0
    return low, high


def _bound(outside: float, inside: float, contradicted: Callable[[float], bool]) -> float:
    """The place between the two where `contradicted` ends, on its outer side."""
    for _ in range(HALVINGS):
        middle = (outside + inside) / 2
        if contradicted(middle):
            outside = middle
        else:
            inside = middle
    return outside


@dataclass(frozen=True)
class Proportion:
    """How often one of two outcomes came, with its 95% confidence sequence."""

    hits: int
    n: int
    ci: tuple[float, float]

    @classmethod
    def of(cls, hits: int, n: int) -> "Proportion":
        """`hits` out of `n` trials."""
        return cls(hits, n, confidence_sequence(hits, n))

    @property
    def share(self) -> float | None:
        """Hits over trials; None where there was none."""
        return self.hits / self.n if self.n else None

    @property
    def against_half(self) -> Verdict:
        """`better`: the whole interval is above one half; `worse`: below it; else `cannot tell`."""
        low, high = self.ci
        return "better" if low > 0.5 else "worse" if high < 0.5 else "cannot tell"
