"""OpenVINO where it can, transformers where it cannot, and both say what `generate` says, whatever the kind."""

import logging
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from peft import LoraConfig, get_peft_model

from medqa_core.answering import openvino_decoder, transformers_decoder
from medqa_core.answering.decoder import Decoder, Prompt, read
from medqa_core.answering.engine import decoder_for, decoding_of
from medqa_core.answering.openvino_decoder import OpenVINODecoder
from medqa_core.answering.transformers_decoder import TransformersDecoder
from medqa_core.foundation.errors import InputError, ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models import gate, openvino_ir
from medqa_core.models.silence import silenced
from medqa_core.models.variants import ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Decoding, Precision
from tests.support.models import not_convertible
from tests.support.tiny_models import VOCABULARY, tiny

pytestmark = pytest.mark.usefixtures("no_network")
TOKENS = 10


def sharpened(kind: str) -> ModelVariants:
    """A tiny model of this kind, sure of what it says, with an adapter that changes it."""
    base = replace(tiny(kind), sha256=kind)
    base.model.generation_config.eos_token_id = None  # answers go on to their limit
    options: dict[str, Any] = {"fan_in_fan_out": True} if kind == "gpt2" else {}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        for name, parameter in base.model.named_parameters():
            if parameter.dim() > 1 and not (kind == "gemma" and "embed" in name):  # it would only repeat its prompt
                parameter *= 6
        with silenced():
            adapted = get_peft_model(base.model, LoraConfig(r=4, target_modules="all-linear", **options)).eval()
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return ModelVariants(kind, base, adapted, f"{kind}, adapted", "plain")


def greedy(decoder: Decoder, prompts: list[Prompt]) -> list[list[int]]:
    batch = read(decoder, prompts)
    tokens = batch.logits().argmax(-1)
    found = [tokens.tolist()]
    while len(found) < TOKENS:
        tokens = batch.step([[int(token)] for token in tokens])[:, 0].argmax(-1)
        found.append(tokens.tolist())
    return [list(row) for row in zip(*found, strict=True)]


def generated(variants: ModelVariants, prompt: Prompt) -> list[int]:
    """transformers' own greedy answer."""
    ids = torch.tensor([prompt.ids])
    with torch.inference_mode(), variants.using(prompt.variant) as model:
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=TOKENS, do_sample=False, pad_token_id=0
        )
    answer: list[int] = out[0, ids.shape[1] :].tolist()
    return answer


@pytest.mark.parametrize("kind", ["llama", "qwen2", "gpt_neox", "gemma", "gpt2"])
def test_both_engines_give_the_tokens_of_generate(kind: str, lab: Settings) -> None:
    """Rows of unlike lengths, of both models, in one batch."""
    variants = sharpened(kind)
    random = torch.Generator().manual_seed(2)
    asked: list[tuple[Variant, int]] = [("base", 5), ("fine_tuned", 5), ("fine_tuned", 40), ("base", 17), ("base", 60)]
    prompts = [
        Prompt(variant, torch.randint(2, VOCABULARY, (size,), generator=random).tolist()) for variant, size in asked
    ]
    prompts[1] = Prompt("fine_tuned", prompts[0].ids)
    expected = [generated(variants, prompt) for prompt in prompts]
    assert expected[0] != expected[1] and len({token for answer in expected for token in answer}) > 5
    fast = decoder_for(variants, lab)
    assert isinstance(fast, OpenVINODecoder)
    assert greedy(fast, prompts) == expected
    assert greedy(TransformersDecoder(variants), prompts) == expected


def test_the_protocol_names_what_decodes(variants: ModelVariants, lab: Settings) -> None:
    for precision in get_args(Precision):
        decoder = decoder_for(variants, lab, precision)
        decoding = decoding_of(variants, lab, 8, precision)
        assert decoding == Decoding(max_new_tokens=8, engine=decoder.name, precision=decoder.precision)
    assert decoding.engine == openvino_decoder.NAME


@pytest.mark.parametrize("kind", ["gemma3"])
def test_what_cannot_be_converted_is_decoded_by_transformers_and_the_log_says_why(
    kind: str, lab: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    variants = sharpened(kind)
    with caplog.at_level(logging.WARNING, "medqa.answering"):
        decoder = decoder_for(variants, lab)
    assert isinstance(decoder, TransformersDecoder)
    assert caplog.messages == [
        "gemma3 cannot be converted: gemma3_text looks back through a window only; "
        "transformers answers instead, more slowly"
    ]
    assert decoding_of(variants, lab, 8) == Decoding(max_new_tokens=8, engine=transformers_decoder.NAME)
    prompts = [Prompt("base", [5, 6, 7] * 5), Prompt("fine_tuned", [5, 6, 7]), Prompt("base", [8, 9])]
    assert greedy(decoder, prompts) == [generated(variants, prompt) for prompt in prompts]
    with pytest.raises(InputError, match=r"^gemma3 on cpu has no int8 mode: ask in float32\.$"):
        decoder_for(variants, lab, "int8")


def test_a_graph_that_computes_something_else_is_not_used(
    variants: ModelVariants, lab: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gate, "FAR", 0)
    elsewhere = replace(variants, adapter_sha256="not in the cache")
    assert isinstance(decoder_for(elsewhere, lab), TransformersDecoder)
    assert "toy cannot be converted: the graph computes something else; transformers answers instead" in caplog.text


def test_what_cannot_be_converted_is_tried_once(
    variants: ModelVariants, lab: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openvino_ir, "ensure", not_convertible)
    own = replace(variants)
    assert decoding_of(own, lab, 8).engine == transformers_decoder.NAME
    monkeypatch.setattr(openvino_ir, "ensure", lambda *_: pytest.fail("it was converted again"))
    assert isinstance(decoder_for(own, lab), TransformersDecoder)
    with pytest.raises(InputError, match="has no int8 mode"):
        decoder_for(own, lab, "int8")
    assert caplog.text.count("transformers answers instead, more slowly") == 1


def test_other_devices_are_transformers_without_a_word(
    variants: ModelVariants, lab: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = replace(variants, base=replace(variants.base, device="cuda"))
    assert isinstance(decoder_for(elsewhere, lab), TransformersDecoder)
    with pytest.raises(InputError, match=r"^toy on cuda has no int8 mode: ask in float32\.$"):
        decoder_for(elsewhere, lab, "int8")
    assert caplog.messages == []


def test_a_cache_that_cannot_be_written_is_said_and_not_worked_around(
    variants: ModelVariants, lab: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    (cache / "openvino").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written to the cache folder"):
        decoder_for(variants, replace(lab, cache=cache))
