"""Many greedy answers at once are the same as one by one."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ctranslate2.converters import TransformersConverter

from medqa_core.answering.generate import Converted, Engine, Plain, decoding_of, engine_for
from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models import ctranslate, embedded, toy
from medqa_core.models.loader import LoadedModel, load
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.runs.run import Run
from tests.support.answers import Ending

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def base(lab: Settings) -> LoadedModel:
    """The toy with its weights blown up: answers then depend on the question and change from token to token."""
    loaded = load("toy", settings=lab, device="cpu")
    with torch.no_grad():
        for parameter in loaded.model.parameters():
            if parameter.dim() > 1:
                parameter *= 4
    return loaded


@pytest.fixture(scope="module")
def prompts(base: LoadedModel) -> list[list[int]]:
    questions = [variants.question * (1 + n % 4) for n, variants in enumerate(starter.load().pairs[::25])]
    return [encode_prompt(base.tokenizer, question, "chat") for question in questions]


@pytest.fixture(scope="module")
def expected(base: LoadedModel, prompts: list[list[int]]) -> list[list[int]]:
    return [alone(base.model, prompt, 8) for prompt in prompts]


def alone(model: Any, prompt: list[int], count: int) -> list[int]:
    """The most likely token again and again, without padding, batches or cache."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def plain(base: LoadedModel, tokenizer: Any = None) -> Plain:
    return Plain(lambda: nullcontext(base.model), tokenizer or base.tokenizer)


def answers(engine: Engine, prompts: list[list[int]], count: int = 8) -> list[list[int]]:
    found = {index: ids for batch in engine.answers(prompts, count) for index, ids in batch.items()}
    return [found[index] for index in range(len(prompts))]


def cut(answer: list[int], end: int) -> list[int]:
    return answer[: answer.index(end)] if end in answer else answer


@pytest.mark.parametrize("batch", [1, 5, 16])
def test_batched_and_padded_is_the_same_as_alone(
    base: LoadedModel,
    prompts: list[list[int]],
    expected: list[list[int]],
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Plain, "BATCH", batch)
    assert len({tuple(answer) for answer in expected}) > 5
    assert answers(plain(base), prompts) == [cut(answer, base.tokenizer.eos_token_id) for answer in expected]


def test_the_end_token_and_what_follows_are_left_out(
    base: LoadedModel, prompts: list[list[int]], expected: list[list[int]]
) -> None:
    end = next(answer[3] for answer in expected if answer[3] not in answer[:3])
    found = answers(plain(base, Ending(base.tokenizer, end)), prompts)
    assert found == [cut(answer, end) for answer in expected]
    assert any(len(answer) == 3 for answer in found)


def test_what_is_done_is_not_computed_and_the_batches_stay(base: LoadedModel, prompts: list[list[int]]) -> None:
    engine = plain(base)
    batches = list(engine.answers(prompts, 4))
    assert len(batches) > 1
    assert list(engine.answers(prompts, 4, done=batches[0])) == batches[1:]
    assert list(engine.answers(prompts, 4, done=range(len(prompts)))) == []


def test_no_prompts(base: LoadedModel) -> None:
    assert answers(plain(base), []) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_ctranslate2_gives_the_tokens_of_generate(
    smoke: Run, lab: Settings, prompts: list[list[int]], variant: Any
) -> None:
    variants = load_variants(smoke, lab)
    engine = engine_for(variants, variant, lab)
    assert isinstance(engine, Converted)
    assert "CTranslate2" in decoding_of(variants, lab, 8).engine
    found = answers(engine, prompts, 12)
    assert found == answers(Plain(lambda: variants.using(variant), variants.tokenizer), prompts, 12)
    assert any(len(answer) > 3 for answer in found)


def test_a_variant_is_converted_once_and_the_models_stay_as_they_are(
    smoke: Run, lab: Settings, tmp_path: Path, prompts: list[list[int]]
) -> None:
    variants = load_variants(smoke, lab)
    before = {name: tensor.clone() for name, tensor in variants.adapted.state_dict().items()}
    said: list[str] = []
    folders = [ctranslate.ensure(variants, variant, tmp_path, said.append) for variant in (*VARIANTS, *VARIANTS)]
    assert folders[:2] == folders[2:]
    assert folders[0] != folders[1]
    assert len(said) == 2
    assert all(torch.equal(tensor, before[name]) for name, tensor in variants.adapted.state_dict().items())
    assert {path.name for path in (tmp_path / "ctranslate2").iterdir() if path.is_dir()} == {f.name for f in folders}


def test_a_kind_that_ctranslate2_does_not_know_is_decoded_by_transformers(
    smoke: Run, lab: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    variants = load_variants(smoke, lab)
    monkeypatch.setattr(ctranslate, "_MODEL_LOADERS", {})
    assert isinstance(engine_for(variants, "base", lab), Plain)
    assert "transformers" in decoding_of(variants, lab, 8).engine


def test_a_gpt2_is_converted_too(lab: Settings, tmp_path: Path, prompts: list[list[int]]) -> None:
    """Its kind leaves more of CTranslate2's configuration open than Llama's does."""
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    tokenizer = AutoTokenizer.from_pretrained(str(toy.ensure(lab.cache)))
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=256, n_embd=32, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=1
    )
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter *= 8
    model.save_pretrained(str(tmp_path / "gpt2"))
    tokenizer.save_pretrained(str(tmp_path / "gpt2"))
    base = load(str(tmp_path / "gpt2"), settings=lab, device="cpu")
    variants = ModelVariants("gpt2", base, base.model, base.sha256, "chat")
    engine = engine_for(variants, "base", lab)
    assert isinstance(engine, Converted)
    assert answers(engine, prompts, 8) == answers(plain(base), prompts, 8)


def test_what_cannot_be_converted_is_decoded_by_transformers(
    smoke: Run, lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError("no such activation")

    monkeypatch.setattr(TransformersConverter, "convert", refuse)
    elsewhere = replace(lab, cache=tmp_path)
    variants = load_variants(smoke, lab)
    assert isinstance(engine_for(variants, "base", elsewhere), Plain)
    assert "transformers" in decoding_of(variants, elsewhere, 8).engine
    assert "no such activation; transformers answers instead" in caplog.text


@pytest.mark.real
def test_the_embedded_model_gives_the_same_tokens_from_both_engines() -> None:
    settings = Settings.from_environment()
    if not embedded.is_ready(settings.cache):
        pytest.skip("the embedded model is not in the cache: `medqa data fetch`")
    base = load("smollm2-135m-instruct", settings=settings, device="cpu")
    variants = ModelVariants("real", base, base.model, base.sha256, "chat")
    prompts = [encode_prompt(base.tokenizer, one.question, "chat") for one in starter.load().pairs[::29]]
    assert len(prompts) == 20
    assert answers(engine_for(variants, "base", settings), prompts, 32) == answers(plain(base), prompts, 32)
