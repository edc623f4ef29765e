"""Where an answer may end."""

from medqa_core.data.sentences import ends, starts, trim

TEXT = "Colds pass. They cause:\n- a cough\n- a runny nose\nRest helps. Drink"


def test_ends_are_those_of_sentences_and_items() -> None:
    assert [TEXT[:end].splitlines()[-1] for end in ends(TEXT)] == [
        "Colds pass.", "- a cough", "- a runny nose", "Rest helps.", "Rest helps. Drink",
    ]  # fmt: skip


def test_what_fits_ends_at_a_sentence() -> None:
    for most in range(len(TEXT)):
        kept = trim(TEXT, lambda part, most=most: len(part) <= most)  # type: ignore[misc]
        assert len(kept) <= most and TEXT.startswith(kept)
        assert not kept or kept.endswith((".", "cough", "nose"))
    assert trim(TEXT, lambda part: len(part) <= len(TEXT)) == TEXT
    assert trim(TEXT, lambda _: False) == ""


def test_where_sentences_and_lines_begin() -> None:
    text = "Rest\n- Drink. Eat (a lot).\n休息。喝水。"
    assert [text[start:].split("\n")[0] for start in starts(text)] == [
        "Rest", "- Drink. Eat (a lot).", "Eat (a lot).", "休息。喝水。", "喝水。", "",
    ]  # fmt: skip
    assert starts("") == [0]
