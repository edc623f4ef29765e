"""The library: what passages are found in. All answers of a data set, or documents of one's own.

What takes seconds to build (MedQuAD's 51,000 passages: fifteen) is built once a process, and kept in the cache with its
index, so that the next process reads it in one.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import medqa_core
from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.passages import Passage, passages_of, passages_of_pages
from medqa_core.answering.retrieval.reranking import Reranked
from medqa_core.answering.retrieval.retriever import Retriever, retriever_over
from medqa_core.data import documents, sources
from medqa_core.data.lookup import data_of, fingerprint_of
from medqa_core.data.pairs import PairSet
from medqa_core.data.readers.file import suffix_of
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.files import dumps, loads, sha256_text
from medqa_core.foundation.settings import Settings
from medqa_core.models.build_cache import kept
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import QuestionsConfig, TrainConfig

MARGIN = 20
"""Passages looked at beyond those that are wanted, at first: some may have to be passed over."""
RECIPE = f"library/1 {BM25.method} medqa-lab {medqa_core.__version__}"
"""What is kept by another recipe is built anew. Count up when the passages of the same data change within a version."""
KEPT = 2
"""Libraries in memory."""
_PASSAGES, _FACTS = "passages.jsonl", "library.json"
Kind = Literal["data set", "starter set", "own documents"]

log = logging.getLogger("medqa.answering")


@dataclass(frozen=True)
class PassageLibrary:
    """What a run's answers with sources are given from."""

    kind: Kind
    """The run's data set; the starter set, where that one is not available; documents of one's own."""
    title: str
    retriever: Retriever
    left_out: tuple[str, ...] = ()
    """A sentence for each document that could not be used."""


def library_for(run: Run, settings: Settings) -> PassageLibrary:
    """The documents that the settings name, else the run's data set where it is available, else the starter set.

    Built once a process, however many ask at once.

    Raises:
        InputError: the documents of one's own cannot be used.
        MedQAError: as `retriever_over`.
    """
    if settings.library is not None:
        path = settings.library
        state = sources.files_fingerprint(_own_files(path))
        return _once(f"own {path} {state}", settings, lambda: _own(path, settings))
    config = run.record.questions
    if config is not None and config.dataset != "starter":
        try:
            key = fingerprint_of(config, settings)
            named = f"data {config.model_dump_json()} {key}"
            return _once(named, settings, lambda: _of_data(config, settings), keep=key is not None)
        except MedQAError as error:
            log.info("%s; the starter set is searched instead", error)
    of_run = config is not None and config.dataset == "starter"
    starter = config if config is not None and of_run else TrainConfig(dataset="starter")
    kind: Kind = "data set" if of_run else "starter set"
    return _once(f"{kind} {starter.model_dump_json()}", settings, lambda: _of_data(starter, settings, kind), keep=False)


@lru_cache(maxsize=2)
def library_of(data: PairSet, settings: Settings) -> Retriever:
    """All passages of `data`, indexed once a process: seconds for MedQuAD's 51,000, with an embedding model far more.

    Raises:
        InputError: there is none.
        MedQAError: as `retriever_over`.
    """
    return retriever_over(_some(passages_of(data.pairs), data.title), settings)


def search_others(library: Retriever, question: str, k: int, document: str) -> list[Passage]:
    """The best `k` passages that are not from `document`, as `Retriever.search`; fewer where there are no more."""
    wanted = k + MARGIN
    while True:
        found = library.search(question, wanted)
        others = [one for one in found if not document or one.document != document]
        if len(others) >= k or len(found) < wanted:
            return others[:k]
        wanted *= 4


_lock = threading.Lock()
_in_memory: OrderedDict[tuple[str, Settings], PassageLibrary] = OrderedDict()


def _once(key: str, settings: Settings, build: Callable[[], PassageLibrary], *, keep: bool = True) -> PassageLibrary:
    """The library of this key: from memory, else from the cache, else built; two who ask at once build it once."""
    with _lock:
        if (key, settings) not in _in_memory:
            on_disk = keep and settings.embeddings is None  # an embedding model keeps its vectors itself
            _in_memory[key, settings] = _from_cache(key, settings, build) if on_disk else build()
            while len(_in_memory) > KEPT:
                _in_memory.popitem(last=False)
        _in_memory.move_to_end((key, settings))
        return _in_memory[key, settings]


def _from_cache(key: str, settings: Settings, build: Callable[[], PassageLibrary]) -> PassageLibrary:
    return kept(
        settings.cache / "libraries" / sha256_text(key)[:32],
        RECIPE,
        build,
        write=_write,
        read=_read,
        unwritable="The library is built anew by each process.",
        damaged="The kept library in %s is damaged (%s); delete it. It is built anew.",
        log=log,
    )


def _write(library: PassageLibrary, folder: Path) -> dict[str, Any]:
    assert isinstance(library.retriever, Reranked)
    rows = (
        [one.text, one.topic, one.question, one.question_id, one.source, one.url, one.document, one.page]
        for one in library.retriever.passages
    )
    with (folder / _PASSAGES).open("w", encoding="utf-8") as file:
        file.writelines(f"{dumps(row)}\n" for row in rows)
    library.retriever.plain.keep(folder)
    facts = {"kind": library.kind, "title": library.title, "left_out": library.left_out}
    (folder / _FACTS).write_text(dumps(facts), encoding="utf-8")
    return {"library": library.title, "passages": len(library.retriever.passages)}


def _read(folder: Path) -> PassageLibrary:
    facts = loads((folder / _FACTS).read_text(encoding="utf-8"))
    with (folder / _PASSAGES).open(encoding="utf-8") as file:
        rows = map(loads, file)
        found = [
            Passage(text, topic, question, id_, source, url, document=document, page=page)
            for text, topic, question, id_, source, url, document, page in rows
        ]
    return PassageLibrary(facts["kind"], facts["title"], Reranked(BM25(found, kept=folder)), tuple(facts["left_out"]))


def _of_data(config: QuestionsConfig, settings: Settings, kind: Kind = "data set") -> PassageLibrary:
    data = data_of(config, settings)
    return PassageLibrary(kind, data.title, library_of(data, settings))


def _own_files(path: Path) -> list[Path]:
    """What makes the library another one when it changes. Raises as `documents_in`."""
    inside = documents.documents_in(path)
    return inside or [path, *(sorted(path.glob("*")) if path.is_dir() else ())]


def _own(path: Path, settings: Settings) -> PassageLibrary:
    left_out: tuple[str, ...] = ()
    found_none = path.is_dir() and not documents.documents_in(path)
    if suffix_of(path.name) is not None or (found_none and sources.holds_tables(path)):
        passages = passages_of(sources.load(str(path), settings).pairs)
    else:
        found = documents.read(path)
        passages, left_out = passages_of_pages(found.pages), found.left_out
    return PassageLibrary("own documents", path.name, retriever_over(_some(passages, path.name), settings), left_out)


def _some(passages: list[Passage], title: str) -> list[Passage]:
    """Never none: an empty library would answer nothing and say nothing about it."""
    if not passages:
        raise InputError(f"{title} holds no passage to read: all of its answers are empty.", field="dataset")
    return passages
