"""A split that does not leak: what shares a document, a topic, a question or an answer stays on one side.

Pairs are grouped into connected components of those four relations. The giant component (on MedQuAD, one paragraph
is the answer to hundreds of questions) goes to training; the others are dealt to three pools in an order that only
the seed and the pairs' ids decide; each part is then drawn from its pool, stratified by source and question type.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medqa_core.data.pairs import Pair, normalise
from medqa_core.foundation.errors import InputError

METHOD = "grouped by document, topic, question and answer; stratified by source and question type"
Stratum = tuple[str, str]  # source, question type
GIANT = 0.05
"""A component with more than this share of all pairs goes to training whole."""


@dataclass(frozen=True)
class Split:
    """Three disjoint parts, and each pair's group (the component it belongs to)."""

    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    groups: dict[str, str]
    """Pair id to group id, for every pair of the split."""

    @property
    def hash(self) -> str:
        """SHA-256 over the parts' names and pair ids: two splits are the same if their hashes are."""
        digest = hashlib.sha256()
        for name in ("train", "validation", "test"):
            for pair in sorted(getattr(self, name), key=lambda p: p.id):
                digest.update(f"{name}\t{pair.id}\t{normalise(pair.question)}\t{normalise(pair.answer)}\n".encode())
        return digest.hexdigest()


def grouped_split(
    pairs: Sequence[Pair],
    sizes: tuple[int | None, int | None, int | None],
    seed: int,
    shares: tuple[float, float, float] = (0.78, 0.08, 0.14),
) -> Split:
    """Split `pairs` into train, validation and test.

    Args:
        pairs: what there is, in any order: the order does not change the result.
        sizes: how many pairs each part gets; None takes its whole pool.
        seed: decides the split, the same on every machine (no random number generator is involved).
        shares: the pools' shares where a size is None.

    Raises:
        InputError: a part asks for more pairs than its pool holds.
    """
    ordered = sorted(pairs, key=lambda pair: pair.id)
    components = _components(ordered)
    wanted = shares if any(size is None for size in sizes) else tuple(size or 0 for size in sizes)
    total = sum(wanted)
    quota = [len(ordered) * share / total for share in wanted]

    by_component: dict[int, list[Pair]] = defaultdict(list)
    for pair, component in zip(ordered, components, strict=True):
        by_component[component].append(pair)
    named = {min(pair.id for pair in members): members for members in by_component.values()}

    pools: list[list[Pair]] = [[], [], []]
    for members in _dealing_order(named, seed):
        giant = len(members) > max(GIANT * len(ordered), 1)
        part = 0 if giant else max(range(3), key=lambda k: 1 - len(pools[k]) / quota[k] if quota[k] else -1)
        pools[part].extend(members)

    population = Counter(_stratum(pair) for pair in ordered)
    parts = []
    for name, pool, size in zip(("train", "validation", "test"), pools, sizes, strict=True):
        if size is not None and size > len(pool):
            raise InputError(
                f"{name}_size: {size:,} is more than the {len(pool):,} pairs that can go there without leaking."
            )
        parts.append(tuple(_draw(pool, len(pool) if size is None else size, seed, population)))
    group_of = {pair.id: name for name, members in named.items() for pair in members}
    chosen = [pair.id for part in parts for pair in part]
    return Split(parts[0], parts[1], parts[2], {id_: group_of[id_] for id_ in chosen})


def _components(pairs: Sequence[Pair]) -> np.ndarray:
    """The component number of each pair: pairs are joined through the documents, topics, … that they share."""
    keys: dict[tuple[str, str], int] = {}
    rows, columns = [], []
    for row, pair in enumerate(pairs):
        for kind, value in (
            ("document", pair.document),
            ("topic", normalise(pair.topic)),
            ("question", normalise(pair.question)),
            ("answer", normalise(pair.answer)),
        ):
            if value:
                rows.append(row)
                columns.append(len(pairs) + keys.setdefault((kind, value), len(keys)))
    size = len(pairs) + len(keys)
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    labels: np.ndarray = connected_components(graph, directed=False)[1]
    return labels[: len(pairs)]


def _rank(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}\t{key}".encode()).hexdigest()


def _dealing_order(named: dict[str, list[Pair]], seed: int) -> Iterable[list[Pair]]:
    """The largest components first (they are the hardest to place), equals in the seed's order."""
    return (named[key] for key in sorted(named, key=lambda key: (-len(named[key]), _rank(seed, key))))


def _draw(pool: Sequence[Pair], size: int, seed: int, population: Counter[Stratum]) -> list[Pair]:
    """`size` pairs of `pool`, each stratum as near to its share of the whole data set as the pool allows."""
    strata: dict[Stratum, list[Pair]] = defaultdict(list)
    for pair in sorted(pool, key=lambda pair: _rank(seed, pair.id)):
        strata[_stratum(pair)].append(pair)
    total = sum(population[key] for key in strata)
    target = {key: size * population[key] / total for key in strata}
    take = {key: min(int(target[key]), len(members)) for key, members in strata.items()}
    while (short := size - sum(take.values())) > 0:
        open_keys = [key for key in strata if take[key] < len(strata[key])]
        for key in sorted(open_keys, key=lambda key: (take[key] - target[key], key))[:short]:
            take[key] += 1
    drawn = [pair for key in sorted(strata) for pair in strata[key][: take[key]]]
    return sorted(drawn, key=lambda pair: _rank(seed, pair.id))


def _stratum(pair: Pair) -> Stratum:
    return pair.source, pair.question_type
