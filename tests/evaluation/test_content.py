"""What answers say outside of templates: a planted form letter, with every value worked out by hand."""

import math

import pytest

from medqa_core.data.pairs import QAPair
from medqa_core.evaluation.content import CONTENT, Content, token_mask
from tests.support.form_letters import LETTER, letters


@pytest.fixture(scope="module")
def content() -> Content:
    return Content.of(letters())


def one(content: Content, answer: str, reference: str, question: QAPair | None = None) -> dict[str, float]:
    asked = question or letters()[0]
    found = content.columns([answer], [asked], [(reference,)])
    return {name: values[0] for name, values in found.items()}


def test_the_letter_is_learnt_as_a_template(content: Content) -> None:
    assert (content.protocol.templates, content.protocol.language) == (True, "English")
    assert content.masked_words(LETTER.format("Tol"), "Tol") == (12, 12)
    assert content.masked_words(f"{LETTER.format('Tol')} It itches badly.", "Tol") == (15, 12)


def test_an_answer_that_is_the_letter_alone_scores_nothing(content: Content) -> None:
    reference = f"{LETTER.format('Arl')} Swollen knees ache."
    found = one(content, LETTER.format("Arl"), reference)
    assert [found[name] for name in CONTENT[:3]] == [0, 0, 0]
    assert (found["words"], found["template_words"]) == (12, 12)


def test_what_stands_outside_is_scored_by_hand(content: Content) -> None:
    reference = f"{LETTER.format('Arl')} Swollen knees and the hands ache."
    # Outside: "swollen knees and the hands ache", 6 words; the answer's: "the knees ache badly", 4, of which 3 agree.
    found = one(content, f"{LETTER.format('Arl')} The knees ache badly.", reference)
    assert found["token_f1_outside_templates"] == pytest.approx(2 * 3 / (4 + 6))
    # In a row: "knees ache", or "the ache": 2 of 4 and 2 of 6.
    assert found["rougeL_outside_templates"] == pytest.approx(2 * 2 / (4 + 6))
    # Without "and" and "the": "knees ache badly" and "swollen knees hands ache"; 2 agree.
    assert found["content_f1"] == pytest.approx(2 * 2 / (3 + 4))


def test_the_questions_own_words_count_for_nothing(content: Content) -> None:
    found = one(content, "Arl causes aches", "Arl causes rashes")
    assert letters()[0].question == "What causes Arl?"
    assert found["token_f1_outside_templates"] == 0


def test_the_best_reference_counts(content: Content) -> None:
    found = content.columns(["red spots"], [letters()[0]], [("blue spots", "red spots")])
    assert found["content_f1"] == [1.0]


def test_a_reference_of_template_words_alone_is_not_counted(content: Content) -> None:
    found = one(content, "Swollen knees.", LETTER.format("Arl"))
    assert all(math.isnan(found[name]) for name in CONTENT)


def test_an_empty_answer_is_no_word(content: Content) -> None:
    found = one(content, "", "Swollen knees")
    assert (found["content_f1"], found["words"], found["gene_stated"]) == (0, 0, 0)


def test_specifics_are_counted_against_references_and_passages(content: Content) -> None:
    found = content.columns(
        ["The QRX1 and ZLT9 genes; 3 days."], [letters()[0]], [("The QRX1 gene.",)], [["It lasts 3 days."]]
    )
    assert (found["gene_stated"], found["gene_right"], found["gene_in_passages"]) == ([2], [1], [0])
    assert (found["number_stated"], found["number_right"], found["number_in_passages"]) == ([1], [0], [1])


def test_specifics_of_a_template_do_not_count() -> None:
    pairs = letters("The QRX1 gene is named in every one of these letters on {}.")
    found = Content.of(pairs).columns([pairs[0].answer], [pairs[0]], [(pairs[0].answer,)])
    assert found["gene_stated"] == [0] and math.isnan(found["specifics"][0])


def test_without_templates_everything_is_outside() -> None:
    content = Content.of(letters()[:2])
    assert content.protocol.templates is False
    found = content.columns(["red spots"], [letters()[0]], [("red spots",)])
    assert (found["template_words"], found["content_f1"]) == ([0], [1.0])


def test_no_question_has_no_columns(content: Content) -> None:
    assert content.columns([], [], []) == {}


def test_a_token_goes_with_the_word_that_it_ends_in_or_follows() -> None:
    text = "(Red) spots, ache"
    # tokens: "(", "Re", "d", ")", " spots", ",", " ache"
    ends = [1, 3, 4, 5, 11, 12, 17]
    assert token_mask(text, [True, False, True], ends) == [True, True, True, True, False, False, True]
    assert token_mask("…", [], [1]) == [False]
