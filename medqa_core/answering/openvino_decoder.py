"""Decoding by OpenVINO on a CPU: one pass over the weights serves all rows, whichever model they ask."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from medqa_core.answering.decoder import Logits, Prompt
from medqa_core.answering.parts import PartedBatch
from medqa_core.models.openvino_graph import VERSION, Graph, Session
from medqa_core.models.variants import Variant
from medqa_core.runs.schema.evaluation import Precision

CHUNK = 2048
"""Tokens read at once, padding included: a reader who has left is noticed between two chunks."""
ALIKE = 0.5
"""Prompts this much shorter than the longest are read apart from it, instead of being padded to its length."""
NAME = f"OpenVINO {VERSION}"


class OpenVINODecoder:
    """See Decoder."""

    def __init__(self, graphs: Mapping[Variant, Path], precision: Precision = "float32", threads: int = 0) -> None:
        """Compile each file of `graphs` once, if it is both models' too."""
        compiled = {path: Graph(path, precision, threads) for path in dict.fromkeys(graphs.values())}
        self._graphs = {variant: compiled[path] for variant, path in graphs.items()}
        self.name = NAME
        self.precision: Precision = precision

    def start(self, prompts: Sequence[Prompt]) -> PartedBatch:
        """See Decoder."""
        return PartedBatch([_Part(graph, rows, prompts) for graph, rows in self._by_graph(prompts)], len(prompts))

    def _by_graph(self, prompts: Sequence[Prompt]) -> list[tuple[Graph, list[int]]]:
        graphs = list(dict.fromkeys(self._graphs.values()))
        found = [(one, [i for i, p in enumerate(prompts) if self._graphs[p.variant] is one]) for one in graphs]
        return [(graph, rows) for graph, rows in found if rows]


class _Part:
    """See Part: the rows that one graph answers. Prompts of like length are read together, then joined."""

    def __init__(self, graph: Graph, rows: list[int], prompts: Sequence[Prompt]) -> None:
        self.rows = rows
        self._session = graph.session()
        self._adapted = np.array([prompts[row].variant == "fine_tuned" for row in rows], np.float32)
        self.first = np.empty((0, 0), np.float32)
        self._unread: list[_Reading] = []
        by_length = sorted(range(len(rows)), key=lambda place: -len(prompts[rows[place]].ids))
        groups: list[list[int]] = []
        for place in by_length:
            if groups and len(prompts[rows[place]].ids) >= ALIKE * len(prompts[rows[groups[-1][0]]].ids):
                groups[-1].append(place)
            else:
                groups.append([place])
        for number, group in enumerate(groups):
            session = self._session if number == 0 else graph.session()
            ids = [prompts[rows[place]].ids for place in group]
            self._unread.append(_Reading(session, group, ids, self._adapted[group]))
        self._read: list[_Reading] = []
        self._mask = np.empty((len(rows), 0), np.int64)

    @property
    def unread(self) -> bool:
        """See Part."""
        return bool(self._unread)

    def read(self) -> None:
        """Read a chunk; join the groups after the last one."""
        reading = self._unread[0]
        reading.read()
        if reading.done:
            self._read.append(self._unread.pop(0))
        if not self._unread:
            self._join()

    def step(self, tokens: Sequence[Sequence[int]]) -> Logits:
        """See Part."""
        ids = np.array(tokens)
        new = ids.shape[1]
        positions = self._mask.sum(1, keepdims=True) + np.arange(new)
        self._mask = np.concatenate([self._mask, np.ones_like(ids)], 1)
        return self._session.step(ids, self._mask, positions, range(new), self._adapted)

    def keep(self, places: list[int]) -> None:
        """See Part; the columns that none of them looks at are dropped."""
        mask = self._mask[places]
        columns = np.flatnonzero(mask.any(0))
        self._session.set_states([state[places][:, :, columns] for state in self._session.states()])
        self._mask, self._adapted = mask[:, columns], self._adapted[places]

    def _join(self) -> None:
        groups = self._read
        places = [place for group in groups for place in group.places]
        order = np.argsort(places)
        width = max(group.mask.shape[1] for group in groups)
        self.first = np.concatenate([group.logits for group in groups])[order]
        self._mask = np.concatenate([_padded(group.mask, width, 1) for group in groups])[order]
        if len(groups) > 1:
            states = zip(*(group.session.states() for group in groups), strict=True)
            joined = [np.concatenate([_padded(one, width, 2) for one in few])[order] for few in states]
            self._session.set_states(joined)
        elif list(order) != list(range(len(order))):
            self._session.set_states([state[order] for state in self._session.states()])
        self._read = []


class _Reading:
    """Prompts of like length, padded on the left and read chunk by chunk."""

    def __init__(self, session: Session, places: list[int], prompts: list[list[int]], adapted: np.ndarray) -> None:
        width = max(map(len, prompts))
        self.places = places
        self.session = session
        self.logits = np.empty((0, 0), np.float32)
        self.mask = np.zeros((len(prompts), width), np.int64)
        self._ids = np.zeros((len(prompts), width), np.int64)
        for row, prompt in enumerate(prompts):
            self._ids[row, width - len(prompt) :] = prompt
            self.mask[row, width - len(prompt) :] = 1
        self._positions = np.maximum(np.cumsum(self.mask, 1) - 1, 0)
        self._adapted = adapted
        self._chunk = max(1, CHUNK // len(prompts))
        self._done = 0

    @property
    def done(self) -> bool:
        """Whether all is read."""
        return self._done == self.mask.shape[1]

    def read(self) -> None:
        """Read a chunk."""
        start, end = self._done, min(self._done + self._chunk, self.mask.shape[1])
        part = slice(start, end)
        found = self.session.step(
            self._ids[:, part], self.mask[:, :end], self._positions[:, part], [end - start - 1], self._adapted
        )
        self._done = end
        if self.done:
            self.logits = found[:, -1].copy()


def _padded(values: np.ndarray, width: int, axis: int) -> np.ndarray:
    missing = [(0, 0)] * values.ndim
    missing[axis] = (width - values.shape[axis], 0)
    return np.pad(values, missing)
