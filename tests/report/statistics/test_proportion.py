"""A confidence sequence covers the true share at every number of trials at once, 19 times in 20."""

from functools import cache

import numpy as np
import pytest

from medqa_core.report.statistics.proportion import Proportion, confidence_sequence

SEQUENCES, LENGTH = 2000, 300
NOISE = 3 * (0.05 * 0.95 / SEQUENCES) ** 0.5
"""Three standard errors of a share of one in twenty."""


@cache
def bounds(p: float) -> tuple[np.ndarray, np.ndarray]:
    """For each number of votes, the fewest wins that put `p` below the interval, and the most that put it above."""
    above, below = [LENGTH + 1], [-1]
    for n in range(1, LENGTH + 1):
        hits = min(above[-1], n + 1)  # neither bound falls as votes are added
        while hits <= n and Proportion.of(hits, n).ci[0] <= p:
            hits += 1
        while hits > 0 and Proportion.of(hits - 1, n).ci[0] > p:
            hits -= 1
        above.append(hits)
        hits = below[-1]
        while hits < n and Proportion.of(hits + 1, n).ci[1] < p:
            hits += 1
        below.append(hits)
    return np.array(above[1:]), np.array(below[1:])


def paths(p: float) -> np.ndarray:
    """Wins after each vote: 2,000 sequences of 300 votes that the fine-tuned model wins with probability `p`."""
    return np.cumsum(np.random.default_rng(11).random((SEQUENCES, LENGTH)) < p, axis=1)


@pytest.mark.parametrize("p", [0.5, 0.7, 0.05])
def test_looked_at_after_every_vote_the_interval_misses_one_time_in_twenty_at_most(p: float) -> None:
    above, below = bounds(p)
    wins = paths(p)
    missed = ((wins >= above) | (wins <= below)).any(axis=1)
    assert 0.001 < missed.mean() <= 0.05 + NOISE  # it does miss now and then: the simulation sees something


def test_an_interval_for_one_look_would_miss_far_more_often() -> None:
    wins, n = paths(0.5), np.arange(1, LENGTH + 1)
    share = wins / n
    reach = 1.96 * np.sqrt(share * (1 - share) / n)
    assert ((np.abs(share - 0.5) > reach) & (n >= 10)).any(axis=1).mean() > 0.2


def test_a_real_preference_is_found() -> None:
    above, below = bounds(0.5)
    wins = paths(0.7)
    assert (wins >= above).any(axis=1).mean() > 0.99
    assert not (wins <= below).all(axis=1).any()


def test_the_interval_in_hand_checked_cases() -> None:
    assert confidence_sequence(0, 0) == (0.0, 1.0)
    # All of n won: p is excluded where p^n (n + 1) <= 1/20.
    assert confidence_sequence(8, 8) == pytest.approx(((1 / (20 * 9)) ** (1 / 8), 1.0))
    low, high = confidence_sequence(3, 11)
    assert confidence_sequence(8, 11) == pytest.approx((1 - high, 1 - low))
    assert 0 < low < 3 / 11 < high < 1
    for n in (10**5, 10**7):
        low, high = confidence_sequence(n // 2, n)
        assert low < 0.5 < high and high - low < 6 / n**0.5
    for hits, n in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError):
            confidence_sequence(hits, n)
