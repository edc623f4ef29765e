"""What is transformers' own: the models themselves answer, and are left as they were."""

import pytest
import torch

from medqa_core.answering.decoder import Prompt, read
from medqa_core.answering.transformers_decoder import NAME, TransformersDecoder
from medqa_core.models.variants import ModelVariants

pytestmark = pytest.mark.usefixtures("no_network")


def test_each_model_reads_its_own_rows(variants: ModelVariants, ids: list[int]) -> None:
    batch = TransformersDecoder(variants).start([Prompt("base", ids), Prompt("fine_tuned", ids), Prompt("base", ids)])
    assert batch.read() and not batch.read()
    base = TransformersDecoder(variants).start([Prompt("base", ids)])
    assert not base.read()


def test_the_adapter_is_as_it_was_between_two_steps(variants: ModelVariants, ids: list[int]) -> None:
    asked = torch.tensor([ids])
    with torch.inference_mode():
        before = variants.adapted(input_ids=asked).logits
    batch = read(TransformersDecoder(variants), [Prompt("base", ids), Prompt("fine_tuned", ids)])
    for _ in range(2):
        with torch.inference_mode():
            assert torch.equal(variants.adapted(input_ids=asked).logits, before)
        batch.step([[3], [4]])
    assert not variants.adapted.training


def test_its_name(variants: ModelVariants) -> None:
    decoder = TransformersDecoder(variants)
    assert (decoder.name, decoder.precision) == (NAME, "float32")
