"""The smoke run's models, answering both ways that there are."""

import pytest

from medqa_core.answering.decoder import Decoder
from medqa_core.answering.engine import decoder_for
from medqa_core.answering.model_cache import Models
from medqa_core.answering.openvino_decoder import OpenVINODecoder
from medqa_core.answering.transformers_decoder import TransformersDecoder
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.run import Run
from tests.support.answers import DecoderOf


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


@pytest.fixture(scope="module", params=["OpenVINO", "transformers"])
def decoder_of(request: pytest.FixtureRequest, lab: Settings) -> DecoderOf:
    """What answers with a run's models: each test runs with either engine."""

    def openvino(variants: ModelVariants) -> Decoder:
        found = decoder_for(variants, lab)
        assert isinstance(found, OpenVINODecoder)
        return found

    return openvino if request.param == "OpenVINO" else TransformersDecoder


@pytest.fixture(scope="module")
def decoder(variants: ModelVariants, decoder_of: DecoderOf) -> Decoder:
    return decoder_of(variants)


@pytest.fixture(scope="module")
def models(variants: ModelVariants, decoder: Decoder) -> Models:
    return Models(variants, decoder)


@pytest.fixture(scope="module")
def ids(variants: ModelVariants) -> list[int]:
    return encode_prompt(variants.tokenizer, "What are the symptoms of gout?", "chat")


@pytest.fixture(scope="module")
def others(variants: ModelVariants) -> list[int]:
    return encode_prompt(variants.tokenizer, "How is asthma treated in children, and for how long?", "chat")
