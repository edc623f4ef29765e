"""How much of an answer the passages hold."""

import pytest

from medqa_core.data.support import supported


@pytest.mark.parametrize(
    ("answer", "passages", "share"),
    [
        ("The joint swells at night.", ["At night a joint swells."], 1.0),
        ("The joint swells and burns.", ["The joint swells.", "It is red."], 2 / 3),
        ("Crystals", ["The joint swells."], 0.0),
        ("What is gout?", ["Gout is painful."], None),
        ("The joint swells.", [], None),
    ],
)
def test_share_of_the_content_words(answer: str, passages: list[str], share: float | None) -> None:
    found = supported(answer, "What is gout?", passages, "English")
    assert found == (None if share is None else pytest.approx(share))
