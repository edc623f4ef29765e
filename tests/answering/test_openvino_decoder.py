"""What is OpenVINO's own: prompts read chunk by chunk, whole models beside each other, 8-bit weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medqa_core.answering import openvino_decoder as module
from medqa_core.answering.decoder import Decoder, Prompt, read
from medqa_core.answering.engine import decoder_for
from medqa_core.answering.openvino_decoder import OpenVINODecoder
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.variants import ModelVariants

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def fast(variants: ModelVariants, lab: Settings) -> Decoder:
    return decoder_for(variants, lab)


def test_a_long_prompt_is_read_chunk_by_chunk(
    fast: Decoder, ids: list[int], others: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [Prompt("base", ids * 4), Prompt("fine_tuned", others * 4)]
    whole = read(fast, prompts).logits().copy()
    monkeypatch.setattr(module, "CHUNK", 40)
    batch, parts = fast.start(prompts), 1
    while batch.read():
        parts += 1
    assert parts == -(-max(len(prompt.ids) for prompt in prompts) // 20)
    assert np.allclose(batch.logits(), whole, atol=1e-4)


def test_a_chunk_smaller_than_the_rows_still_goes_on(
    fast: Decoder, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK", 1)
    assert np.isfinite(read(fast, [Prompt("base", ids[:4])] * 3).logits()).all()


def test_int8_is_near_and_another_computation(
    fast: Decoder, variants: ModelVariants, ids: list[int], lab: Settings
) -> None:
    quick = decoder_for(variants, lab, "int8")
    assert (quick.precision, quick.name) == ("int8", fast.name)
    prompts = [Prompt("base", ids), Prompt("fine_tuned", ids)]
    exact, rounded = read(fast, prompts).logits(), read(quick, prompts).logits()
    assert 0 < abs(rounded - exact).max() < 0.1 * exact.std()


def test_two_whole_models_answer_beside_each_other(
    variants: ModelVariants, lab: Settings, ids: list[int], others: list[int]
) -> None:
    tuned = load("toy", settings=lab).model
    with torch.no_grad():
        tuned.model.norm.weight.neg_()
    base = load("toy", settings=lab)
    full = replace(variants, base=base, adapted=tuned, adapter_sha256="a whole model, its norm negative")
    decoder = decoder_for(full, lab)
    assert isinstance(decoder, OpenVINODecoder)
    rows = [("fine_tuned", ids), ("base", others), ("fine_tuned", others)]
    batch = read(decoder, [Prompt(variant, tokens) for variant, tokens in rows])  # type: ignore[arg-type]
    batch.keep([2, 1, 0])
    found = batch.step([[4], [5], [6]])
    for place, (variant, tokens) in enumerate(reversed(rows)):
        with torch.inference_mode(), full.using(variant) as model:  # type: ignore[arg-type]
            expected = model(input_ids=torch.tensor([[*tokens, 4 + place]])).logits[0, -1].numpy()
        assert np.allclose(found[place, 0], expected, atol=1e-4)
