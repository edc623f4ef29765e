"""How far two raters agree beyond what chance gives: Cohen, "A coefficient of agreement for nominal scales" (1960)."""

from collections import Counter
from collections.abc import Sequence


def cohens_kappa(ours: Sequence[str], theirs: Sequence[str]) -> float | None:
    """1: they always agree, 0: as often as chance; None without ratings, or where both know one category alone.

    Raises:
        ValueError: not as many ratings of both.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} and {len(theirs)} ratings")
    n = len(ours)
    if not n:
        return None
    seen = sum(a == b for a, b in zip(ours, theirs, strict=True)) / n
    ours_by, theirs_by = Counter(ours), Counter(theirs)
    chance = sum(ours_by[one] * theirs_by[one] for one in ours_by) / n**2
    return None if chance == 1 else (seen - chance) / (1 - chance)
