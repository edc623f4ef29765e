"""Paragraphs and lists as a person would write them down."""

import pytest

from medqa_core.data.layout import laid_out, layout_of


@pytest.mark.parametrize(
    ("raw", "lines"),
    [
        ("One line.  ", ["One line."]),
        ("First.\n              Second\n   goes on.", ["First.", "Second goes on."]),
        ("It causes    - fever    - a cough       Rest helps.", ["It causes", "- fever", "- a cough", "Rest helps."]),
        ("Two kinds: - one  - the other", ["Two kinds:", "- one", "- the other"]),
        ("A word - set apart - stays. It  does.", ["A word - set apart - stays. It does."]),
        ("A sentence.  Another.", ["A sentence.", "Another."]),
        ("- first\n- \n* second", ["- first", "- second"]),
        ("Colds\r\n\r\nRest.", ["Colds", "Rest."]),
        ("", []),
        ("-", []),
    ],
)
def test_lines(raw: str, lines: list[str]) -> None:
    assert laid_out(raw).splitlines() == lines


def test_one_line_has_no_layout() -> None:
    assert layout_of("Rest  helps.", "Rest helps.") is None
    assert layout_of("Rest.\nDrink.", "Rest. Drink.") == "Rest.\nDrink."
