"""A table of one's own becomes pairs: columns found or mapped, ids that do not depend on the order, topics derived."""

from pathlib import Path

import pytest

from medqa_core.data import own
from medqa_core.data.medquad_text import split_sizes, topic_of
from medqa_core.data.pairs import PairSet
from medqa_core.data.readers import file
from medqa_core.foundation.errors import InputError, UnknownName
from tests.support.qa_pairs import KEIVALYA, LAVITA


def load(path: Path, text: str, **columns: str) -> PairSet:
    path.write_text(text, encoding="utf-8")
    return own.pairs([file.read(path)], path.name, columns)


def test_the_copy_of_medquad_that_has_everything(tmp_path: Path) -> None:
    data = load(tmp_path / "train.csv", LAVITA)
    found = [(p.id, p.document, p.topic, p.question_type, p.question, p.answer, p.source, p.url) for p in data.pairs]
    assert found == [
        ("Made:0000001-1", "Made:0000001", "Gout", "information", "What is Gout?", "Gout is a kind of arthritis.",
         "Made", "https://example.org/gout"),
        ("Made:0000001-1~2", "Made:0000002", "Asthma", "information", "What is Asthma?", "Asthma narrows the airways.",
         "Made", None),
    ]  # fmt: skip
    assert (data.pairs_parsed, data.pairs_answered, data.licence) == (3, 2, "CC BY 4.0")
    assert data.title == "MedQuAD (train.csv)"


def test_the_copy_of_medquad_that_names_no_topics(tmp_path: Path) -> None:
    data = load(tmp_path / "copy.csv", KEIVALYA)
    assert [pair.topic for pair in data.pairs] == ["Gout", "Gout", "Since when is it known?"]
    assert [pair.source for pair in data.pairs] == ["MedQuAD"] * 3
    assert any("no topic column: for 2 pairs" in line and "other 1 the question" in line for line in data.filters)
    backwards = load(tmp_path / "back.csv", "\n".join([KEIVALYA.splitlines()[0], *KEIVALYA.splitlines()[:0:-1]]))
    assert {pair.id for pair in backwards.pairs} == {pair.id for pair in data.pairs}


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("What is Gout?", "Gout"),
        ("What are the treatments for Gout?", "Gout"),
        ("Is Gout inherited?", "Gout"),
        ("How many people are affected by Gout?", "Gout"),
        ("what research (or clinical trials) is being done for Gout?", "Gout"),
        ("Who is at risk for Gout??", "Gout"),
        ("Do you have information about Gout", "Gout"),
        ("How can Gout be treated?", "Gout"),
        ("Tell me of gout", None),
        ("", None),
    ],
)
def test_topics_that_questions_name(question: str, topic: str | None) -> None:
    assert topic_of(question) == topic


def test_columns_are_guessed_whatever_their_case(tmp_path: Path) -> None:
    data = load(tmp_path / "my.csv", "ID,Prompt,Response,Focus,Note\n1,What?,That.,Things,x\n1,Why?,So.,,y\n")
    assert [(p.id, p.question, p.answer, p.topic, p.source) for p in data.pairs] == [
        ("1", "What?", "That.", "Things", "my.csv"), ("1~2", "Why?", "So.", "", "my.csv"),
    ]  # fmt: skip
    assert "columns left aside: Note" in data.filters
    assert any(line.startswith("columns read: ") and "question = Prompt" in line for line in data.filters)
    assert data.licence == "not stated"


def test_columns_as_mapped(tmp_path: Path) -> None:
    text = "Frage,Antwort,question\nWas?,Das.,not this one\n"
    data = load(tmp_path / "my.csv", text, question="Frage", answer="Antwort")
    assert [(pair.question, pair.answer) for pair in data.pairs] == [("Was?", "Das.")]
    with pytest.raises(InputError, match=r"^my\.csv: row 1, column 'Antwrt' \(for answer\): missing; the columns are"):
        load(tmp_path / "my.csv", text, answer="Antwrt")
    with pytest.raises(UnknownName, match=r"columns: 'anser' is not known; .*Did you mean 'answer'\?"):
        load(tmp_path / "my.csv", text, anser="Antwort")


def test_unanswered_and_repeated_rows_are_counted(tmp_path: Path) -> None:
    data = load(tmp_path / "my.csv", "q,a\nWhat?,That.\n , \nWhy?,  \nWHAT,that!\n")
    assert (data.pairs_parsed, data.pairs_answered, data.duplicates_dropped, len(data.pairs)) == (3, 2, 1, 1)


def test_control_characters_go_and_words_stay(tmp_path: Path) -> None:
    data = load(tmp_path / "my.csv", "q,a\n\x00What\x07 is\u00a0it?,می\u200cخواهم \x1b[31m\n")
    assert [(pair.question, pair.answer) for pair in data.pairs] == [("What is it?", "می\u200cخواهم [31m")]


def test_the_reference_runs_sizes_only_where_there_is_room() -> None:
    assert split_sizes(16_359) == (3500, 750, 750)
    assert split_sizes(9_999) == (None, None, None)
