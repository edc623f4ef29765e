"""Which pairs are linked: those that share a document, a topic, a question or an answer, in any number of steps."""

from collections.abc import Iterator, Sequence

import numpy as np

from medqa_core.data.pairs import QAPair, normalise

RELATIONS = ("document", "focus", "question", "answer")


def keys(pair: QAPair) -> Iterator[tuple[str, str]]:
    """The relation's name and the key under which `pair` shares it with others; what is empty is shared with none."""
    values = (pair.document, normalise(pair.topic), normalise(pair.question), normalise(pair.source_answer))
    return ((relation, value) for relation, value in zip(RELATIONS, values, strict=True) if value)


def components(pairs: Sequence[QAPair]) -> list[int]:
    """The component number of each pair, in their order."""
    # Here and not above: it takes half a second to import, and a page needs the modules that need this one.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers: dict[tuple[str, str], int] = {}
    rows, columns = [], []
    for row, pair in enumerate(pairs):
        for key in keys(pair):
            rows.append(row)
            columns.append(len(pairs) + numbers.setdefault(key, len(numbers)))
    size = len(pairs) + len(numbers)
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size))
    labels = connected_components(graph, directed=False)[1]
    return [int(label) for label in labels[: len(pairs)]]
