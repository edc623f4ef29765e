"""The smoke run's models, answering both ways that there are."""

from collections.abc import Callable, Iterator

import pytest

from medqa_core.answering.compare import Answer, Answers, Column
from medqa_core.answering.model_cache import Models
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.streams import ConvertedStreams, PlainStreams, Streams, streams_for
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.run import Run

StreamsOf = Callable[[ModelVariants], Streams]


def last(items: Iterator[Answers]) -> dict[Column, Answer]:
    """The final answers by column."""
    return list(items)[-1].by_column


def passages(*texts: str) -> tuple[Passage, ...]:
    """Passages of these texts."""
    return tuple(Passage(text, "Gout", "What is gout?", str(n), "by hand", None) for n, text in enumerate(texts))


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
