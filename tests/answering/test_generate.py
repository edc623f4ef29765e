"""Many greedy answers at once are the same as one by one."""

from typing import Any

import pytest
import torch

from medqa_core.answering import generate as module
from medqa_core.answering.generate import greedy_answers
from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import LoadedModel, load
from medqa_core.models.prompt import encode_prompt

from .ending import Ending

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
    questions = [pair.question * (1 + n % 4) for n, pair in enumerate(starter.load().pairs[::25])]
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


@pytest.mark.parametrize("batch", [1, 5, 16])
def test_batched_and_padded_is_the_same_as_alone(
    base: LoadedModel,
    prompts: list[list[int]],
    expected: list[list[int]],
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BATCH", batch)
    assert len({tuple(answer) for answer in expected}) > 5
    counted: list[int] = []
    found = greedy_answers(base.model, base.tokenizer, prompts, 8, counted.append)
    end = base.tokenizer.eos_token_id
    assert found == [answer[: answer.index(end)] if end in answer else answer for answer in expected]
    assert sum(counted) == len(prompts)


def test_the_end_token_and_what_follows_are_left_out(
    base: LoadedModel, prompts: list[list[int]], expected: list[list[int]]
) -> None:
    end = next(answer[3] for answer in expected if answer[3] not in answer[:3])
    found = greedy_answers(base.model, Ending(base.tokenizer, end), prompts, 8)
    assert found == [answer[: answer.index(end)] if end in answer else answer for answer in expected]
    assert any(len(answer) == 3 for answer in found)


def test_no_prompts(base: LoadedModel) -> None:
    assert greedy_answers(base.model, base.tokenizer, [], 8) == []
