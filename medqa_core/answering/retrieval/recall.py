"""How good the search behind the answers with sources is, on the run's test questions.

The split leaves nothing on a test question's topic in training, so two things are measured:

* known item: in an index of all passages, held-out ones included, is the question's own document found? It says whether
  the search works. MedQuAD's questions name their topic, which makes it easy.
* support: in the index of training passages, which `evaluate --with-sources` of a closed-book run searches, is anything
  found that repeats a run of words of a reference answer? It says what there is to find, beside passages drawn at
  random.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence

from scipy.stats import binomtest

from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.answering.retrieval.retriever import Retriever, retriever_over
from medqa_core.data.lookup import split_of
from medqa_core.data.overlap import NgramIndex
from medqa_core.data.pairs import references_of
from medqa_core.data.split import Split
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.retrieval import RETRIEVAL, Recall, Retrieval
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import LIVE

KS = (1, 3, 5, 10)
"""Passages looked at."""


def measure_retrieval(run: Run, settings: Settings, progress: StageProgress = silent) -> Retrieval:
    """Measure the search over the passages of `run`; writes retrieval.json.

    Raises:
        InputError: an imported run without weights, one that is still being trained, or one without a test question.
        MedQAError: the data set is not available, or is not the one that the run was trained on; or as
            `retriever_over`.
    """
    if run.state() in LIVE:
        raise InputError(f"{run.id} is still {run.state()}: its folder is being written. Measure it when it has ended.")
    data, parts = split_of(run.record, settings)
    if not parts.test:
        raise InputError(f"{run.id} has no test questions: there is nothing to search for.")

    def index(passages: Sequence[Passage]) -> Retriever:
        return retriever_over(passages, settings, progress)

    result = measured(parts, references_of(parts.test, data.pairs), index, progress)
    discard_manifest(run.folder)
    write_json(run.folder / RETRIEVAL, result.model_dump(mode="json"))
    return result


def measured(
    parts: Split,
    references: Sequence[tuple[str, ...]],
    index: Callable[[Sequence[Passage]], Retriever] = BM25,
    progress: StageProgress = silent,
) -> Retrieval:
    """Both measures on the test questions of `parts`, whose reference answers are `references`."""
    everything = (*parts.train, *parts.validation, *parts.test)
    document = {pair.id: pair.document for pair in everything}
    whole, deployed = index(passages_of(everything)), index(passages_of(parts.train))
    generator, most = random.Random(0), max(KS)
    known, support, chance = [], [], []
    seconds = 0.0
    for number, (question, texts) in enumerate(zip(parts.test, references, strict=True), 1):
        of_all = whole.search(question.question, most)
        start = time.perf_counter()
        found = deployed.search(question.question, most)
        seconds += time.perf_counter() - start
        drawn = generator.sample(deployed.passages, min(most, len(deployed.passages)))
        needed = NgramIndex(texts)
        known.append(_first(document[passage.question_id] == question.document for passage in of_all))
        support.append(_first(needed.share(passage.text) > 0 for passage in found))
        chance.append(_first(needed.share(passage.text) > 0 for passage in drawn))
        progress("search", number, len(parts.test))
    return Retrieval(
        method=deployed.method,
        questions=len(parts.test),
        passages=len(deployed.passages),
        known_item_passages=len(whole.passages),
        split_hash=parts.hash,
        known_item=_recall(known),
        support=_recall(support),
        support_by_chance=_recall(chance),
        seconds_per_question=round(seconds / len(parts.test), 5),
    )


def _first(right: Iterable[bool]) -> int | None:
    """The place, from 1, of the first that is right; None where none is."""
    return next((place for place, one in enumerate(right, 1) if one), None)


def _recall(places: Sequence[int | None]) -> list[Recall]:
    return [_within(k, sum(place is not None and place <= k for place in places), len(places)) for k in KS]


def _within(k: int, hits: int, n: int) -> Recall:
    interval = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return Recall(k=k, hits=hits, n=n, share=hits / n, ci=(float(interval.low), float(interval.high)))
