"""Both answers are what each model alone would say, and each carries what produced it."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from medqa_core.answering import compare as module
from medqa_core.answering.compare import Answer, compare
from medqa_core.answering.question import GenerationSettings
from medqa_core.foundation.errors import QuestionRefused
from medqa_core.foundation.files import sha256, sha256_text
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.pair import SIDES, ModelPair, Side, load_pair
from medqa_core.models.prompt import encode_prompt, prompt_text
from medqa_core.runs.run import Run

from .ending import Ending

pytestmark = pytest.mark.usefixtures("no_network")
QUESTION = "What are the symptoms of gout?"
GREEDY = GenerationSettings(temperature=0, max_new_tokens=24)
WARM = GenerationSettings(temperature=1.0, max_new_tokens=24, seed=1)


@pytest.fixture(scope="module")
def pair(smoke: Run, lab: Settings) -> ModelPair:
    return load_pair(smoke, lab)


@pytest.fixture
def as_ids(pair: ModelPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers as token numbers: the toy's own words are mostly control tokens, which a text does not show."""
    monkeypatch.setattr(pair.tokenizer, "decode", lambda ids, **_: " ".join(map(str, ids)))


def last(items: Iterator[dict[Side, Answer]]) -> dict[Side, Answer]:
    return list(items)[-1]


def generated(model: Any, pair: ModelPair, count: int) -> list[int]:
    """What transformers' own greedy decoding says."""
    prompt = torch.tensor([encode_prompt(pair.tokenizer, QUESTION, "chat")])
    out = model.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        max_new_tokens=count,
        do_sample=False,
        pad_token_id=pair.tokenizer.pad_token_id,
    )
    return list(map(int, out[0, prompt.shape[1] :]))


@pytest.mark.usefixtures("as_ids")
def test_greedy_is_generate_token_by_token_on_both_sides(pair: ModelPair, lab: Settings) -> None:
    expected: dict[Side, list[int]] = {
        "base": generated(load("toy", settings=lab).model, pair, 24),
        "fine_tuned": generated(load_pair_alone(pair, lab), pair, 24),
    }
    assert expected["base"] != expected["fine_tuned"]
    for count, answers in enumerate(compare(pair, QUESTION, GREEDY), 1):
        for side in SIDES:
            assert answers[side].text == " ".join(map(str, expected[side][:count]))
            assert answers[side].tokens == count
            assert answers[side].state == ("cut" if count == 24 else "running")


def load_pair_alone(pair: ModelPair, lab: Settings) -> Any:
    """The adapter on a base of its own, through peft and nothing of ours."""
    from peft import PeftModel

    from medqa_core.models.quiet import quiet

    with quiet():
        folder = lab.reports / pair.run_id / "adapter"
        return PeftModel.from_pretrained(load("toy", settings=lab).model, str(folder)).eval()


@pytest.mark.usefixtures("as_ids")
def test_a_seed_gives_the_same_answers_again_and_another_one_others(pair: ModelPair) -> None:
    first, again = last(compare(pair, QUESTION, WARM)), last(compare(pair, QUESTION, WARM))
    torch.rand(3)  # the process's own random numbers have no part in it
    other = last(compare(pair, QUESTION, WARM.model_copy(update={"seed": 2})))
    for side in SIDES:
        assert first[side].text == again[side].text != other[side].text


@pytest.mark.usefixtures("as_ids")
def test_the_sides_differ(pair: ModelPair) -> None:
    for settings in (GREEDY, WARM):
        answers = last(compare(pair, QUESTION, settings))
        assert answers["base"].text != answers["fine_tuned"].text


@pytest.mark.usefixtures("as_ids")
def test_a_temperature_next_to_zero_is_greedy(pair: ModelPair) -> None:
    greedy = last(compare(pair, QUESTION, GREEDY))
    for temperature in (1e-6, 1e-308, 5e-324):
        cold = last(compare(pair, QUESTION, GREEDY.model_copy(update={"temperature": temperature})))
        assert {side: cold[side].text for side in SIDES} == {side: greedy[side].text for side in SIDES}


def test_sampling_follows_the_models_probabilities(pair: ModelPair) -> None:
    settings = GenerationSettings(temperature=0.5, max_new_tokens=1)
    column = module._Column(pair, "base", [1], settings, "", 1)
    logits = torch.tensor([0.0, math.log(2), -math.inf])
    drawn = [column._choose(logits) for _ in range(4000)]
    assert drawn.count(2) == 0
    assert drawn.count(1) / 4000 == pytest.approx(0.8, abs=0.03)  # odds 2 at temperature 1 are 4 at 0.5


def test_each_answer_says_what_produced_it(pair: ModelPair, smoke: Run, lab: Settings) -> None:
    answers = last(compare(pair, f"  {QUESTION}\n", WARM))
    weights = sha256(lab.cache / "models" / "toy" / "model.safetensors")
    for side in SIDES:
        found = answers[side].as_dict()["provenance"]
        assert found == {
            "run_id": "smoke",
            "side": side,
            "model": "toy",
            "revision": None,
            "base_sha256": weights,
            "adapter_sha256": sha256(smoke.folder / "adapter" / "adapter_model.safetensors")
            if side == "fine_tuned"
            else None,
            "prompt": "chat",
            "prompt_sha256": sha256_text(prompt_text(pair.tokenizer, QUESTION, "chat")),
            "temperature": 1.0,
            "max_new_tokens": 24,
            "seed": 1,
        }
        assert answers[side].seconds > 0
        assert answers[side].as_dict()["tokens_per_second"] == pytest.approx(24 / answers[side].seconds, abs=0.01)


def test_the_reader_can_stop_both(pair: ModelPair) -> None:
    calls = itertools.count()
    items = list(compare(pair, QUESTION, GREEDY, cancelled=lambda: next(calls) >= 3))
    assert len(items) == 4
    assert {(items[-1][side].state, items[-1][side].tokens) for side in SIDES} == {("stopped", 3)}


def test_stopped_before_the_first_token(pair: ModelPair) -> None:
    (only,) = compare(pair, QUESTION, GREEDY, cancelled=lambda: True)
    assert {(only[side].state, only[side].tokens, only[side].text) for side in SIDES} == {("stopped", 0, "")}
    assert only["base"].tokens_per_second == 0


def test_time_stops_both(pair: ModelPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SECONDS", -1.0)
    (only,) = compare(pair, QUESTION, GREEDY)
    assert {only[side].state for side in SIDES} == {"stopped"}


@pytest.mark.usefixtures("as_ids")
def test_the_end_token_ends_one_side_and_the_other_goes_on(pair: ModelPair) -> None:
    first = last(compare(pair, QUESTION, GREEDY))
    token = int(first["fine_tuned"].text.split()[0])
    assert str(token) not in first["base"].text.split()
    ending = replace(pair, base=replace(pair.base, tokenizer=Ending(pair.tokenizer, token)))
    answers = last(compare(ending, QUESTION, GREEDY))
    assert (answers["fine_tuned"].state, answers["fine_tuned"].tokens, answers["fine_tuned"].text) == ("ended", 0, "")
    assert (answers["base"].state, answers["base"].text) == ("cut", first["base"].text)


def test_half_a_character_is_held_back_until_it_is_whole(pair: ModelPair) -> None:
    column = module._Column(pair, "base", [1], GREEDY, "", 9)
    heart = pair.tokenizer("a🫀", add_special_tokens=False)["input_ids"]
    shown = []
    for count in range(1, len(heart) + 1):
        column.ids = heart[:count]
        shown.append(column.answer().text)
    assert shown[-1] == "a🫀"
    assert set(shown[:-1]) == {"a"}
    column.ids, column.state = heart[:-1], "cut"
    assert column.answer().text.startswith("a\ufffd")  # an answer that was cut there shows that it was


@pytest.mark.parametrize("question", ["", "🫀", 5, "a" * 100_000])
def test_a_refused_question_computes_nothing(pair: ModelPair, question: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_Column", None)
    with pytest.raises(QuestionRefused):
        next(compare(pair, question, GREEDY))


def test_an_answer_ends_where_the_models_context_does(pair: ModelPair, monkeypatch: pytest.MonkeyPatch) -> None:
    length = len(encode_prompt(pair.tokenizer, QUESTION, "chat"))
    monkeypatch.setattr(pair.base.model.config, "max_position_embeddings", length + 2)
    answers = last(compare(pair, QUESTION, GREEDY))
    assert {(answers[side].state, answers[side].tokens) for side in SIDES} == {("cut", 2)}
    monkeypatch.setattr(pair.base.model.config, "max_position_embeddings", length)
    with pytest.raises(QuestionRefused, match=rf"takes {length} tokens and toy reads {length} at most"):
        next(compare(pair, QUESTION, GREEDY))


@pytest.mark.usefixtures("as_ids")
def test_a_whole_fine_tuned_model_answers_too(pair: ModelPair, lab: Settings) -> None:
    """Two models of their own weights, as after `method=full`."""
    other = load("toy", settings=lab).model
    with torch.no_grad():
        other.model.norm.weight.neg_()
    base = replace(load("toy", settings=lab), tokenizer=pair.tokenizer)
    full = replace(pair, base=base, adapted=other)
    assert not full.shares_weights
    answers = last(compare(full, QUESTION, GREEDY))
    assert answers["base"].text == last(compare(pair, QUESTION, GREEDY))["base"].text
    assert answers["fine_tuned"].text != answers["base"].text
