"""What ends an answer before its model does: the reader, the clock, the limit of tokens, the model's context."""

import itertools

import pytest

from medqa_core.answering.admission import Limits
from medqa_core.answering.compare import compare
from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.foundation.errors import QuestionRefused
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS
from tests.support.answers import last

pytestmark = pytest.mark.usefixtures("no_network")
TEXT = "What are the symptoms of gout?"
QUESTION = Question.checked(TEXT)
GREEDY = GenerationSettings(temperature=0, max_new_tokens=24)


def test_the_reader_can_stop_both(models: Models) -> None:
    calls = itertools.count()
    items = list(compare(models, QUESTION, GREEDY, cancelled=lambda: next(calls) >= 3))
    assert len(items) == 4
    assert {answer.finish_reason for answer in items[-1].by_column.values()} == {"cancelled"}
    assert sum(answer.tokens for answer in items[-1].by_column.values()) <= 4


def test_stopped_at_the_first_token(models: Models) -> None:
    (only,) = compare(models, QUESTION, GREEDY, cancelled=lambda: True)
    assert {answer.finish_reason for answer in only.by_column.values()} == {"cancelled"}
    waiting = min(only.by_column.values(), key=lambda answer: answer.tokens)
    assert (waiting.tokens, waiting.text, waiting.seconds, waiting.tokens_per_second) == (0, "", 0, 0)


def test_who_stops_after_the_end_stops_nothing(models: Models) -> None:
    items = iter(range(3))
    one = GREEDY.model_copy(update={"max_new_tokens": 1})
    answers = last(compare(models, QUESTION, one, cancelled=lambda: next(items) > 1))
    reasons = {answers[variant].finish_reason for variant in VARIANTS}
    assert reasons == {"length"}  # asked between the two models' prompts and their first tokens, and no more


def test_time_stops_both(models: Models) -> None:
    (only,) = compare(models, QUESTION, GREEDY, limits=Limits(seconds=-1.0))
    assert {answer.finish_reason for answer in only.by_column.values()} == {"cancelled"}


def test_the_limit_of_tokens_cuts_what_was_asked_for(models: Models) -> None:
    answers = last(compare(models, QUESTION, GREEDY, limits=Limits(max_new_tokens=5)))
    assert {(answers[variant].finish_reason, answers[variant].tokens) for variant in VARIANTS} == {("length", 5)}
    answers = last(compare(models, QUESTION, GREEDY, limits=Limits(max_new_tokens=500)))
    assert {answers[variant].tokens for variant in VARIANTS} == {24}


def test_an_answer_ends_where_the_models_context_does(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    length = len(encode_prompt(models.variants.tokenizer, TEXT, "chat"))
    monkeypatch.setattr(models.variants.base.model.config, "max_position_embeddings", length + 2)
    answers = last(compare(models, QUESTION, GREEDY))
    assert {(answers[variant].finish_reason, answers[variant].tokens) for variant in VARIANTS} == {("length", 2)}
    monkeypatch.setattr(models.variants.base.model.config, "max_position_embeddings", length)
    with pytest.raises(QuestionRefused, match=rf"takes {length} tokens and toy reads {length} at most"):
        next(compare(models, QUESTION, GREEDY))
