"""Which passage bears a sentence out, and which sentences none does."""

from medqa_core.answering.attribution import Sentence, sentences

QUESTION = "What is gout?"
PASSAGES = [
    "Rest helps the body.",
    "Gout is a form of arthritis that swells the joints of the foot, often at night.",
    "It is treated with medicines that lower uric acid in the blood.",
]


def test_each_sentence_leads_to_its_passage_or_to_none() -> None:
    answer = "Gout is a form of arthritis. It is treated with medicines that lower uric acid. It flies to the moon."
    found = sentences(answer, QUESTION, PASSAGES)
    assert [one.passage for one in found] == [2, 3, None]
    assert [one.share for one in found] == [1.0, 1.0, 0.0]
    assert "".join(one.text for one in found) == answer


def test_the_numbers_that_the_model_gave_decide_between_equals_alone_and_are_left_out() -> None:
    passages = ["Gout swells joints."] * 3
    (one,) = sentences("It swells joints. [2]", QUESTION, passages)
    assert one == Sentence("It swells joints.", 2, 1.0)
    (one,) = sentences("It swells joints [9].", QUESTION, passages)
    assert (one.text, one.passage) == ("It swells joints.", 1)
    (one,) = sentences("It lowers uric acid in the blood. [1]", QUESTION, PASSAGES)
    assert one.passage == 3


def test_words_of_the_question_and_small_words_prove_nothing() -> None:
    assert sentences("What is gout?", QUESTION, PASSAGES) == (Sentence("What is gout?", None, None),)
    assert [one.passage for one in sentences("Gout hurts.", QUESTION, PASSAGES)] == [None]


def test_items_of_a_list_stand_each_for_itself() -> None:
    answer = "Signs:\n- swollen joints\n- green hair"
    found = sentences(answer, QUESTION, [*PASSAGES, "Signs are swollen joints."])
    assert [one.passage for one in found] == [4, 4, None]
    assert "".join(one.text for one in found) == answer


def test_nothing_said_and_nothing_read() -> None:
    assert sentences("", QUESTION, PASSAGES) == () == sentences(" [1]", QUESTION, PASSAGES)
    assert sentences("It flies.", QUESTION, []) == (Sentence("It flies.", None, 0.0),)
