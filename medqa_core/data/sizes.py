"""Sizes as people give them — a number of pairs, a fraction of all, or none — turned into pairs."""

from medqa_core.foundation.errors import InputError

PARTS = ("train", "validation", "test")
Sizes = tuple[int | float | None, int | float | None, int | float | None]
"""Of training, validation and test set: a number from 1, a fraction below 1, or None for what there is."""
SHARES = (0.78, 0.08, 0.14)
"""The parts' shares where nobody gives a size."""


def is_fraction(size: int | float | None) -> bool:
    """Whether `size` is a share of all pairs and not a number of them."""
    return size is not None and 0 < size < 1


def quotas(total: int, sizes: Sizes, shares: tuple[float, float, float]) -> list[float]:
    """How many of `total` pairs each part's pool should hold, larger than the part where its size is None.

    Raises:
        InputError: the fractions add up to more than all pairs.
    """
    _check_fractions(sizes)
    wanted: list[float]
    if None not in sizes:
        wanted = [_pairs(size or 0, total) for size in sizes]
    elif any(is_fraction(size) for size in sizes):
        given = sum(_pairs(size, total) for size in sizes if size is not None)
        open_shares = sum(share for size, share in zip(sizes, shares, strict=True) if size is None)
        rest = max(total - given, 0) / open_shares
        wanted = [
            rest * share if size is None else _pairs(size, total) for size, share in zip(sizes, shares, strict=True)
        ]
    else:
        # A number beside a None does not move the pools: older runs' splits were made so.
        wanted = list(shares)
    everything = sum(wanted)
    return [total * share / everything for share in wanted]


def at_most(size: int | float | None, total: int, pool: int) -> int:
    """How many pairs of a pool of `pool` a part of this size gets: a number is meant, a fraction gives way."""
    if size is None:
        return pool
    return min(_pairs(size, total), pool) if is_fraction(size) else int(size)


def whole_sizes(total: int, sizes: Sizes, shares: tuple[float, float, float]) -> list[int]:
    """The sizes as numbers of pairs; parts whose size is None share what the others leave.

    Raises:
        InputError: they are more than `total` together.
    """
    _check_fractions(sizes)
    given = [None if size is None else _pairs(size, total) for size in sizes]
    left = total - sum(size or 0 for size in given)
    if left < 0:
        # Rounding may give each fraction a pair too many; numbers are meant as they stand.
        fractions = [k for k in range(3) if is_fraction(sizes[k])]
        largest = max(fractions or range(3), key=lambda k: given[k] or 0)
        cut = (given[largest] or 0) + left
        if -left > len(fractions) or cut < 1:
            raise InputError(
                f"the sizes add up to {total - left:,} of the {total:,} pairs there are.",
                field=f"{PARTS[largest]}_size",
            )
        given[largest], left = cut, 0
    open_shares = sum(share for size, share in zip(given, shares, strict=True) if size is None)
    whole = [
        int(left * share / open_shares) if size is None else size for size, share in zip(given, shares, strict=True)
    ]
    if open_shares:  # what rounding down left goes to the first part that takes all there is
        whole[given.index(None)] += total - sum(whole)
    return whole


def _pairs(size: int | float, total: int) -> int:
    return max(1, round(size * total)) if is_fraction(size) else int(size)


def _check_fractions(sizes: Sizes) -> None:
    fractions = [size for size in sizes if size is not None and is_fraction(size)]
    if sum(fractions) > 1 + 1e-9:
        shown = " + ".join(f"{size:g}" for size in fractions)
        raise InputError(
            f"{shown} is more than 1, that is than all pairs.", field=", ".join(f"{n}_size" for n in PARTS)
        )
