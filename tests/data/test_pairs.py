"""When two texts count as the same."""

from medqa_core.data.pairs import QAPair, normalise, references_of, tidy, without_duplicates
from tests.support.qa_pairs import pair


def test_normalise_ignores_case_punctuation_and_compatibility_forms() -> None:
    assert normalise("What is (are) ＧＯＵＴ ?") == normalise("what is\tare gout")
    assert normalise("ﬁbrosis") == "fibrosis"
    assert normalise("“…” —") == ""
    assert normalise("vitamin B12") != normalise("vitamin B1")


def test_tidy_changes_white_space_only() -> None:
    assert tidy("\n Gout\u00a0is \t bad.\r\n") == "Gout is bad."
    assert tidy("A (are)  b ?") == "A (are) b ?"


def test_a_duplicate_repeats_both_question_and_answer() -> None:
    first = pair(1)
    again = pair(2, question=first.question.upper(), answer=first.answer + "!!")
    same_question = pair(3, question=first.question)
    same_answer = pair(4, answer=first.answer)
    assert without_duplicates([first, again, same_question, same_answer]) == (first, same_question, same_answer)


def test_every_answer_to_the_same_question_is_a_reference_its_own_first() -> None:
    def pair(id_: str, question: str, answer: str) -> QAPair:
        return QAPair(id_, "doc", "gout", "information", question, answer, "source")

    pairs = [
        pair("3", "What is gout?", "A kind of arthritis."),
        pair("1", "what is GOUT", "A disease of the joints."),
        pair("2", "What is gout?", "a disease of the joints"),
        pair("4", "What is asthma?", "A disease of the lungs."),
    ]
    assert references_of(pairs, pairs) == [
        ("A kind of arthritis.", "A disease of the joints."),
        ("A disease of the joints.", "A kind of arthritis."),
        ("a disease of the joints", "A kind of arthritis."),
        ("A disease of the lungs.",),
    ]
    assert references_of(pairs[:1], []) == [("A kind of arthritis.",)]
