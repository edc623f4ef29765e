"""The smoke run's models, answering both ways that there are."""

from collections.abc import Callable

import pytest

from medqa_core.answering.pool import Models
from medqa_core.answering.streams import ConvertedStreams, PlainStreams, Streams, streams_for
from medqa_core.foundation.settings import Settings
from medqa_core.models.pair import ModelPair, load_pair
from medqa_core.runs.run import Run

StreamsOf = Callable[[ModelPair], Streams]


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
