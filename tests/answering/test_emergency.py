"""A description of an emergency gets the referral; a question about one does not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.answering.emergency.quality import Rate, screen_quality
from medqa_core.answering.emergency.questions import LANGUAGES, Language, labelled_questions
from medqa_core.answering.emergency.screen import REFERRAL, describes_emergency, is_covered, plain_words, probability
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
        "suicide",
        "overdose",
        "Heart attack!",
        "stroke",
        "severe bleeding",
        "anaphylaxis",
        "mi padre no respira",
        "je veux mourir",
        "Herzinfarkt",
        "ela tomou todos os comprimidos",
        "孩子不呼吸了",
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
        "hello",
        "gout",
        "headache",
        "insulin",
        "¿Qué es un infarto?",
        "Quels sont les symptômes de la goutte ?",
        "Was ist Gicht?",
        "Como se trata a gota?",
        "什么是中风？",
    ],
)
def test_a_question_for_knowledge_is_answered(question: str) -> None:
    assert not describes_emergency(question)
    assert Question.checked(question).text == question


@pytest.mark.parametrize(
    "question", ["Какие симптомы подагры?", "инфаркт", "Jakie są objawy dny?", "가슴이 너무 아파요"]
)
def test_a_language_that_is_not_covered_is_told(question: str) -> None:
    assert not is_covered(question)
    assert "112 in Europe" in Question.checked(question).notice


@pytest.mark.parametrize("question", ["gout", "What is adrenoleukodystrophy?", "¿Qué es la gota?", "痛风是什么？"])
def test_a_language_that_is_covered_needs_no_notice(question: str) -> None:
    assert is_covered(question) and Question.checked(question).notice == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_is_measured(language: Language) -> None:
    found = screen_quality(language)
    assert found.recall.value >= 0.7 and found.false_alarms.value <= 0.25
    assert found.recall.of >= 15 and found.false_alarms.of >= 15


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
    assert {question.kind for question in test if question.emergency} == kinds and len(kinds) == 11


def test_what_the_page_says_of_it_is_no_worse_than_when_it_was_made() -> None:
    found = screen_quality()
    assert found.recall.value >= 0.9
    assert found.false_alarms.value <= 0.15


def test_a_rate_has_an_interval() -> None:
    assert Rate(9, 10).interval == pytest.approx((0.5958, 0.9821), abs=1e-4)  # Wilson 1927: 0.596 to 0.982
