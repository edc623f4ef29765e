"""A description of an emergency gets the referral; a question about one does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.answering.emergency.quality import Rate, screen_quality
from medqa_core.answering.emergency.questions import labelled_questions
from medqa_core.answering.emergency.screen import REFERRAL, describes_emergency, plain_words, probability
from medqa_core.answering.question import Question
from medqa_core.foundation.errors import EmergencyDescribed


@pytest.mark.parametrize(
    "question",
    [
        "crushing chest pain, left arm numb, sweating",
        "My wife's face is drooping on one side and her words come out wrong",
        "i CANT BREATHE my inhaler isnt working",
        "The cut on my wrist is spurting blood and it won’t stop",
        "ate a peanut cookie and now my tongue is swelling up, should I take a tablet?",
        "my toddler has drunk toilet cleaner, what do i do",
        "I don't want to be alive any more",
        "Our baby is three weeks old and has a temperature of 38.9",
        "My dad collapsed and he won't wake up",
        "Fell off a ladder and I can't feel my legs",
        "MY HUSBAND COLLAPSED!!! HE IS NOT BREATHING!!!",
        "he is unconcious and not respondng",
    ],
)
def test_a_described_emergency_is_referred(question: str) -> None:
    assert describes_emergency(question)
    with pytest.raises(EmergencyDescribed) as caught:
        Question.checked(question)
    assert str(caught.value) == REFERRAL


@pytest.mark.parametrize(
    "question",
    [
        "What are the symptoms of a stroke?",
        "What causes chest pain in athletes?",
        "How is anaphylaxis treated?",
        "Who is at risk for suicide?",
        "How can I prevent a heart attack?",
        "I had a heart attack ten years ago. Can I drink coffee?",
        "For our first aid course: what do you do when someone is choking?",
        "I'm dying to know whether coffee is healthy",
        "Is ibuprofen or paracetamol better for a mild headache?",
        "What are the symptoms of gout?",
        "痛風とは何ですか",
    ],
)
def test_a_question_for_knowledge_is_answered(question: str) -> None:
    assert not describes_emergency(question)
    assert Question.checked(question).text == question


def test_spelling_of_apostrophes_and_width_is_the_same() -> None:
    assert probability("I can't breathe") == probability("i can’t  breathe!!") == probability("Ｉ cant breathe")


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=1000))
def test_any_text_has_a_probability(text: str) -> None:
    assert 0 <= probability(text) <= 1
    assert plain_words(plain_words(text)) == plain_words(text)


def test_the_written_questions_are_many_and_no_test_question_is_a_training_question() -> None:
    train, test = labelled_questions("train"), labelled_questions("test")
    texts = [plain_words(question.text) for question in (*train, *test)]
    assert len(set(texts)) == len(texts)
    assert len(test) >= 200
    kinds = {question.kind for question in train if question.emergency}
    assert {question.kind for question in test if question.emergency} == kinds and len(kinds) == 10


def test_what_the_page_says_of_it_is_no_worse_than_when_it_was_made() -> None:
    found = screen_quality()
    assert found.recall.value >= 0.9
    assert found.false_alarms.value <= 0.15


def test_a_rate_has_an_interval() -> None:
    assert Rate(9, 10).interval == pytest.approx((0.5958, 0.9821), abs=1e-4)  # Wilson 1927: 0.596 to 0.982
