"""The smoke run's models, answering both ways that there are."""

import pytest

from medqa_core.answering.model_cache import Models
from medqa_core.answering.streams import ConvertedStreams, PlainStreams, Streams, streams_for
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.run import Run
from tests.support.answers import StreamsOf


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


@pytest.fixture(scope="module", params=["CTranslate2", "transformers"])
def streams_of(request: pytest.FixtureRequest, lab: Settings) -> StreamsOf:
    """What answers with a run's models: each test runs with either engine."""

    def converted(variants: ModelVariants) -> Streams:
        found = streams_for(variants, lab)
        assert isinstance(found, ConvertedStreams)
        return found

    return converted if request.param == "CTranslate2" else PlainStreams


@pytest.fixture(scope="module")
def models(variants: ModelVariants, streams_of: StreamsOf) -> Models:
    return Models(variants, streams_of(variants))
