"""Many greedy answers at once are the same as one by one."""

from dataclasses import replace
from itertools import takewhile
from typing import Any

import pytest
import torch

from medqa_core.answering import generate as module
from medqa_core.answering.decoder import Decoder, Ends
from medqa_core.answering.engine import decoder_for
from medqa_core.answering.generate import answers as generate
from medqa_core.answering.transformers_decoder import TransformersDecoder
from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models import embedded
from medqa_core.models.loader import load
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant
from tests.support.answers import DecoderOf, Watched

pytestmark = pytest.mark.usefixtures("no_network")
NEVER = -1


@pytest.fixture(scope="module")
def sharp(variants: ModelVariants, lab: Settings) -> ModelVariants:
    """The toy with its weights blown up: answers then depend on the question and change from token to token."""
    loaded, tuned = load("toy", settings=lab, device="cpu"), load("toy", settings=lab, device="cpu").model
    with torch.no_grad():
        for parameter in (*loaded.model.parameters(), *tuned.parameters()):
            if parameter.dim() > 1:
                parameter *= 4
    return replace(
        variants, base=replace(loaded, sha256="the toy, four times"), adapted=tuned, adapter_sha256="and again"
    )


@pytest.fixture(scope="module")
def sharp_decoder(sharp: ModelVariants, decoder_of: DecoderOf) -> Decoder:
    return decoder_of(sharp)


@pytest.fixture(scope="module")
def prompts(variants: ModelVariants) -> list[list[int]]:
    questions = [pair.question * (1 + n % 4) for n, pair in enumerate(starter.load().pairs[::25])]
    return [encode_prompt(variants.tokenizer, question, "chat") for question in questions]


@pytest.fixture(scope="module")
def expected(sharp: ModelVariants, prompts: list[list[int]]) -> list[list[int]]:
    return [alone(sharp.base.model, prompt, 8) for prompt in prompts]


def alone(model: Any, prompt: list[int], count: int) -> list[int]:
    """The most likely token again and again, without padding, batches or cache."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(count):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[len(prompt) :]


def answers(
    decoder: Decoder, prompts: list[list[int]], count: int = 8, end: Ends = NEVER, variant: Variant = "base"
) -> list[list[int]]:
    found = {i: ids for batch in generate(decoder, variant, prompts, count, end) for i, ids in batch.items()}
    return [found[index] for index in range(len(prompts))]


def test_any_of_several_ends_ends_an_answer(
    sharp_decoder: Decoder, prompts: list[list[int]], expected: list[list[int]]
) -> None:
    ends = {expected[0][2], expected[-1][3]}
    found = answers(sharp_decoder, prompts, end=ends)
    assert found == [list(takewhile(lambda token: token not in ends, answer)) for answer in expected]


def cut(answer: list[int], end: int) -> list[int]:
    return answer[: answer.index(end)] if end in answer else answer


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_batched_and_padded_is_the_same_as_alone(
    sharp_decoder: Decoder,
    prompts: list[list[int]],
    expected: list[list[int]],
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", batch)
    assert len({tuple(answer) for answer in expected}) > 5
    assert answers(sharp_decoder, prompts) == expected


def test_the_end_token_and_what_follows_are_left_out(
    sharp_decoder: Decoder, prompts: list[list[int]], expected: list[list[int]]
) -> None:
    end = next(answer[3] for answer in expected if answer[3] not in answer[:3])
    found = answers(sharp_decoder, prompts, end=end)
    assert found == [cut(answer, end) for answer in expected]
    assert any(len(answer) == 3 for answer in found)


def test_rows_whose_answer_has_ended_are_given_up(
    sharp_decoder: Decoder, prompts: list[list[int]], expected: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From half of the rows on, and again from half of those; what is left says what it would have said."""
    firsts = [answer[0] for answer in expected]
    end = max(set(firsts), key=firsts.count)
    few = [place for place, first in enumerate(firsts) if first == end][:6]
    few += [place for place, answer in enumerate(expected) if end not in answer][:3]
    assert len(few) > 4 and firsts.count(end) > 1
    monkeypatch.setattr(module, "WORTH_KEEPING", 0.99)
    watched = Watched(sharp_decoder)
    found = answers(watched, [prompts[place] for place in few], end=end)
    assert found == [cut(expected[place], end) for place in few]
    assert watched.steps[0][0] < len(few)


def test_what_is_done_is_not_computed_and_the_batches_stay(
    sharp_decoder: Decoder, prompts: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    batches = list(generate(sharp_decoder, "base", prompts, 4, NEVER))
    assert len(batches) > 1
    assert list(generate(sharp_decoder, "base", prompts, 4, NEVER, done=batches[0])) == batches[1:]
    assert list(generate(sharp_decoder, "base", prompts, 4, NEVER, done=range(len(prompts)))) == []


def test_no_prompts_and_no_tokens(sharp_decoder: Decoder, prompts: list[list[int]]) -> None:
    assert answers(sharp_decoder, []) == []
    assert answers(sharp_decoder, prompts[:2], 0) == [[], []]
    assert answers(sharp_decoder, prompts[:2], 1) == [one[:1] for one in answers(sharp_decoder, prompts[:2], 2)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_both_engines_give_the_same_tokens(
    variants: ModelVariants, lab: Settings, prompts: list[list[int]], variant: Variant
) -> None:
    found = answers(decoder_for(variants, lab), prompts, 12, variant=variant)
    assert found == answers(TransformersDecoder(variants), prompts, 12, variant=variant)
    assert all(len(answer) == 12 for answer in found)


@pytest.mark.real
def test_the_embedded_model_gives_the_same_tokens_from_both_engines() -> None:
    settings = Settings.from_environment()
    if not embedded.is_ready(settings.cache):
        pytest.skip("the embedded model is not in the cache: `medqa data fetch`")
    base = load("smollm2-135m-instruct", settings=settings, device="cpu")
    variants = ModelVariants("real", base, base.model, base.sha256, "chat")
    prompts = [encode_prompt(base.tokenizer, one.question, "chat") for one in starter.load().pairs[::29]]
    assert len(prompts) == 20
    end: int = base.tokenizer.eos_token_id
    fast = answers(decoder_for(variants, settings), prompts, 32, end)
    assert fast == answers(TransformersDecoder(variants), prompts, 32, end)
