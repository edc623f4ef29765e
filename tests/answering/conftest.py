"""The smoke run's models, answering both ways that there are."""

from collections.abc import Callable, Iterator

import pytest

from medqa_core.answering.compare import Answer, Column
from medqa_core.answering.model_cache import Models
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.streams import ConvertedStreams, PlainStreams, Streams, streams_for
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import ModelPair, load_pair
from medqa_core.runs.run import Run

StreamsOf = Callable[[ModelPair], Streams]


def last(items: Iterator[dict[Column, Answer]]) -> dict[Column, Answer]:
    """The final answers."""
    return list(items)[-1]


def passages(*texts: str) -> tuple[Passage, ...]:
    """Passages of these texts."""
    return tuple(Passage(text, "Gout", "What is gout?", str(n), "by hand", None) for n, text in enumerate(texts))


@pytest.fixture(scope="module")
def pair(smoke: Run, lab: Settings) -> ModelPair:
    return load_pair(smoke, lab)


@pytest.fixture(scope="module", params=["CTranslate2", "transformers"])
def streams_of(request: pytest.FixtureRequest, lab: Settings) -> StreamsOf:
    """What answers with a pair: each test runs with either engine."""

    def converted(pair: ModelPair) -> Streams:
        found = streams_for(pair, lab)
        assert isinstance(found, ConvertedStreams)
        return found

    return converted if request.param == "CTranslate2" else PlainStreams


@pytest.fixture(scope="module")
def models(pair: ModelPair, streams_of: StreamsOf) -> Models:
    return Models(pair, streams_of(pair))
