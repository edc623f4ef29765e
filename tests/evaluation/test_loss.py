"""The batched loss is the plain one: full logits, one example at a time."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch

from medqa_core.data import starter
from medqa_core.evaluation import loss as module
from medqa_core.evaluation.continuations import Forward, Row
from medqa_core.evaluation.loss import AnswerLoss, answer_losses, mean_loss
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import Example, encode_example

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def model(lab: Settings) -> Any:
    """The toy with its weights blown up, so that its losses differ from token to token."""
    model = load("toy", settings=lab, device="cpu").model
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter *= 4
    return model


@pytest.fixture(scope="module")
def examples(lab: Settings) -> list[Example]:
    """Of very different lengths, some cut, in no order."""
    tokenizer = load("toy", settings=lab, device="cpu").tokenizer
    pairs = starter.load().pairs[::41]
    return [
        encode_example(
            tokenizer, one.question * (1 + n % 3), one.answer[: 15 + 60 * (n % 6)], "chat", 140, end=n % 2 == 1
        )
        for n, one in enumerate(pairs)
    ]


def plain(model: Any, example: Example) -> AnswerLoss:
    """Full logits of one example, the textbook's way."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([example.input_ids])).logits[0].double()
    log = torch.log_softmax(logits, dim=-1)
    targets = range(example.prompt_tokens, len(example.input_ids))
    return AnswerLoss(-sum(float(log[at - 1, example.input_ids[at]]) for at in targets), len(targets))


def close(found: list[AnswerLoss], expected: list[AnswerLoss]) -> bool:
    assert [loss.tokens for loss in found] == [loss.tokens for loss in expected]
    return all(abs(one.mean - other.mean) < 1e-5 for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("budget", [1, 300, 1536, 10**6])
def test_it_equals_the_unbatched_reference(
    model: Any, examples: list[Example], budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOKEN_BUDGET", budget)
    reference = [plain(model, example) for example in examples]
    assert len({round(loss.mean, 2) for loss in reference}) > 5
    assert close(answer_losses(model, examples), reference)


def test_batches_stay_within_the_budget(examples: list[Example], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOKEN_BUDGET", 300)
    batches = list(module._batches(examples))
    assert sorted(index for batch in batches for index in batch) == list(range(len(examples)))
    for batch in batches:
        assert len(batch) == 1 or max(len(examples[i].input_ids) for i in batch) * len(batch) <= 300


def test_progress_counts_every_example(model: Any, examples: list[Example]) -> None:
    done: list[int] = []
    answer_losses(model, examples, done.append)
    assert sum(done) == len(examples)


def test_no_examples(model: Any) -> None:
    assert answer_losses(model, []) == []
    assert math.isnan(mean_loss([]))


def test_an_answer_without_a_token_has_no_loss(model: Any, examples: list[Example]) -> None:
    first = examples[0]
    empty = Example(first.input_ids[: first.prompt_tokens], first.prompt_tokens, 0, False)
    found = answer_losses(model, [empty, examples[1]])
    assert found[0] == AnswerLoss(0.0, 0)
    assert math.isnan(found[0].mean)
    assert close(found[1:], [plain(model, examples[1])])


def test_every_token_counts_the_same() -> None:
    assert mean_loss([AnswerLoss(10.0, 10), AnswerLoss(20.0, 5), AnswerLoss(0.0, 0)]) == 2.0


def test_answers_behind_one_long_prompt_read_it_once(
    model: Any, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = next(one for one in examples if one.prompt_tokens > 40)
    prompt = long.input_ids[: long.prompt_tokens]
    answers = [one.input_ids[one.prompt_tokens :] for one in examples[:3]]
    asked = [*examples, *(Example([*prompt, *answer], len(prompt), 0, False) for answer in answers)]
    monkeypatch.setattr(module, "LONG_PROMPT", 40)
    rows: list[int] = []
    scores = Forward.scores

    def counted(self: Forward, given: Sequence[Row], shared: int = 0) -> Iterator[Any]:
        rows.extend(len(row.continuations) for row in given)
        return scores(self, given, shared)

    monkeypatch.setattr(Forward, "scores", counted)
    found = {index: one for batch in module.losses_by_prompt(model, asked) for index, one in batch.items()}
    assert close([found[index] for index in range(len(asked))], [plain(model, one) for one in asked])
    assert all(len(one.nats) == one.tokens for one in found.values())
    assert max(rows) >= 3
    rest = [index for batch in module.losses_by_prompt(model, asked, set(range(len(asked) - 1))) for index in batch]
    assert len(asked) - 1 in rest
    assert len(rest) < len(asked)
