"""Which pairs are linked, in any number of steps: those that share one of the relations of a split's version.

Version 1 links what shares a document, a topic, a question or an answer. Version 2 also links other names of a topic,
specific concepts and near-duplicate answers. Runs keep the version that they were made with.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from medqa_core.data.near_duplicates import near_duplicates
from medqa_core.data.pairs import QAPair, first_normalise, normalise
from medqa_core.data.templates import TOPICS
from medqa_core.data.words import words

RELATIONS = ("document", "focus", "question", "answer", "synonym", "concept", "near_duplicate")
"""What pairs may share; the first four are those of version 1."""
VERSION_1 = RELATIONS[:4]
GENERAL = TOPICS
"""A concept on this many topics is too general to link them: on MedQuAD "syndrome" stands on 263, "disease" on 59. As
many topics make a run of words a template: what so many have in common says little of any."""

Key = tuple[str, str]


def first_keys(pair: QAPair, normal: Callable[[str], str] = normalise) -> Iterator[Key]:
    """A relation of version 1 and the key under which `pair` shares it with others; what is empty is shared by none."""
    answer = "" if pair.chosen else normal(pair.source_answer)
    values = (pair.document, normal(pair.topic), normal(pair.question), answer)
    return ((relation, value) for relation, value in zip(VERSION_1, values, strict=True) if value)


def name_key(name: str) -> str:
    """The key under which two names of a topic count as one: case, punctuation and a possessive s are left out."""
    return " ".join(word for word in words(name) if word != "s")


def all_keys(pairs: Sequence[QAPair]) -> Mapping[str, tuple[Key, ...]]:
    """By pair id, what each pair shares or could share with others, under all relations.

    A topic counts among its own names, so pairs that share a focus share a synonym too; a concept on GENERAL topics of
    `pairs` or more counts for none; near-duplicates share a key with all that are linked by them in any number of
    steps. Kept for the last few data sets, as it takes seconds on a large one.
    """
    return _all_keys(tuple(sorted(pairs, key=lambda pair: pair.id)))


@lru_cache(maxsize=4)
def _all_keys(pairs: tuple[QAPair, ...]) -> Mapping[str, tuple[Key, ...]]:
    topics = Counter(concept for concept, _ in {(c, name_key(pair.topic)) for pair in pairs for c in pair.concepts})
    found = {pair.id: list(first_keys(pair)) for pair in pairs}
    for pair in pairs:
        names = dict.fromkeys(name_key(name) for name in (pair.topic, *pair.synonyms))
        found[pair.id] += [("synonym", name) for name in names if name]
        found[pair.id] += [("concept", concept) for concept in pair.concepts if topics[concept] < GENERAL]
    near = near_duplicates(pairs)
    labels = _connected(len(pairs), near)
    for place in {place for both in near for place in both}:
        found[pairs[place].id].append(("near_duplicate", str(labels[place])))
    return {id_: tuple(listed) for id_, listed in found.items()}


def components(pairs: Sequence[QAPair], version: int) -> list[int]:
    """The component number of each pair, in their order, by the relations of the split's `version`."""
    known = all_keys(pairs) if version > 1 else {pair.id: tuple(first_keys(pair, first_normalise)) for pair in pairs}
    numbers: dict[Key, int] = {}
    edges = [
        (row, len(pairs) + numbers.setdefault(key, len(numbers)))
        for row, pair in enumerate(pairs)
        for key in known[pair.id]
    ]
    return _connected(len(pairs) + len(numbers), edges)[: len(pairs)]


def _connected(size: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The component number of each of `size` nodes."""
    # Here and not above: it takes half a second to import, and a page needs the modules that need this one.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])), shape=(size, size))
    return [int(label) for label in connected_components(graph, directed=False)[1]]
