"""A follow-up: each column reads its own earlier answers, as many turns as there is room for, and says how many."""

from dataclasses import replace

import pytest

from medqa_core.answering.compare import (
    MOST_TURNS,
    NOTHING_FOUND,
    Answer,
    Answers,
    Column,
    compare,
    last_question,
)
from medqa_core.answering.conversation import MOST_KEPT, Conversation
from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.foundation.errors import QuestionRefused
from medqa_core.foundation.files import sha256_text
from medqa_core.models.loader import LoadedModel
from medqa_core.models.prompt import Turn, encode_prompt, prompt_text
from tests.support.answers import last, provenance, sources

pytestmark = pytest.mark.usefixtures("no_network")
QUESTION = Question.checked("How is it treated?")
SHORT = GenerationSettings(max_new_tokens=4)
TURNS: dict[Column, tuple[Turn, ...]] = {
    "base": (Turn("What is gout?", "A place."),),
    "fine_tuned": (Turn("What is gout?", "An arthritis."),),
}
MADE = provenance()


def answered(**texts: str) -> Answers:
    reason = {"with_sources": "no_passage"}
    found = {
        column: Answer(text, 3, 1.0, reason.get(column, "stop") if text == NOTHING_FOUND else "stop", MADE)  # type: ignore[arg-type]
        for column, text in texts.items()
    }
    return Answers(found)  # type: ignore[arg-type]


def test_each_column_reads_what_it_said_itself(models: Models) -> None:
    answers = last(compare(models, QUESTION, SHORT, earlier=TURNS))
    variants = models.variants
    for variant in ("base", "fine_tuned"):
        made, turns = answers[variant].provenance, TURNS[variant]
        assert (made.turns, made.turns_left_out) == (1, 0)
        assert made.prompt_sha256 == sha256_text(prompt_text(variants.tokenizer, QUESTION.text, "chat", turns))
        assert answers[variant].prompt_tokens == len(encode_prompt(variants.tokenizer, QUESTION.text, "chat", turns))
    assert last(compare(models, QUESTION, SHORT))["base"].provenance.turns == 0


def test_a_third_answer_reads_its_passages_and_its_own_turns(models: Models) -> None:
    turns = {**TURNS, "with_sources": TURNS["fine_tuned"]}
    answers = last(compare(models, QUESTION, SHORT, sources=sources("Rest helps."), earlier=turns))
    assert {column: one.provenance.turns for column, one in answers.items()} == dict.fromkeys(answers, 1)


def test_older_turns_give_way_to_the_context_and_to_the_most(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {column: turns * (MOST_TURNS + 3) for column, turns in TURNS.items()}
    variants = models.variants
    ids = len(encode_prompt(variants.tokenizer, QUESTION.text, "chat", TURNS["base"] * 2))
    for context, kept in ((None, MOST_TURNS), (ids + 4, 2), (ids + 3, 1)):
        monkeypatch.setattr(LoadedModel, "context", context)
        made = last(compare(models, QUESTION, SHORT, variants=("base",), earlier=many))["base"].provenance
        assert (made.turns, made.turns_left_out) == (kept, MOST_TURNS + 3 - kept)


def test_a_model_without_a_template_takes_no_follow_up(models: Models) -> None:
    plain = replace(models, variants=replace(models.variants, prompt="plain"))
    with pytest.raises(QuestionRefused, match="no chat template"):
        next(compare(plain, QUESTION, SHORT, earlier=TURNS))
    assert last(compare(plain, QUESTION, SHORT))


def test_a_conversation_grows_by_what_was_answered() -> None:
    talk = Conversation("r").after("What is gout?", answered(base="A place.", fine_tuned="An arthritis."))
    assert talk.turns == {**TURNS, "with_sources": TURNS["fine_tuned"]}
    both = answered(base="1", fine_tuned="2", with_sources=NOTHING_FOUND)
    assert talk.after("And?", both).turns["with_sources"][-1] == Turn("And?", "2")
    third = answered(base="1", fine_tuned="2", with_sources="3")
    assert talk.after("And?", third).turns["with_sources"][-1] == Turn("And?", "3")
    assert last_question(talk.turns) == "What is gout?" and last_question({}) == ""
    for _ in range(MOST_KEPT + 5):
        talk = talk.after("And?", third)
    assert {len(turns) for turns in talk.turns.values()} == {MOST_KEPT}


def test_nothing_is_followed_where_a_model_said_nothing_or_takes_one_question() -> None:
    talk = Conversation("r")
    assert talk.after("?", answered(base="", fine_tuned="2")).turns["base"] == (Turn("?", ""),), "it said nothing"
    found = answered(base="1", fine_tuned="2")
    plain = {column: replace(one, provenance=replace(MADE, prompt="plain")) for column, one in found.by_column.items()}
    assert talk.after("?", Answers(plain)) is talk
    unread = {column: replace(one, finish_reason="no_passage") for column, one in found.by_column.items()}
    assert talk.after("?", Answers(unread)) is talk


def test_what_was_cut_off_before_its_first_word_is_no_turn() -> None:
    talk = Conversation("r")
    found = dict(answered(base="1", fine_tuned="2", with_sources="").by_column)
    found["with_sources"] = replace(found["with_sources"], finish_reason="cancelled")
    assert talk.after("?", Answers(found)).turns["with_sources"] == (Turn("?", "2"),)
    found["fine_tuned"] = replace(found["fine_tuned"], text="", finish_reason="cancelled")
    assert talk.after("?", Answers(found)) is talk
    found["fine_tuned"] = replace(found["fine_tuned"], text="An arth")
    assert talk.after("?", Answers(found)).turns["fine_tuned"] == (Turn("?", "An arth"),), "half an answer is one"
