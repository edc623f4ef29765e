"""What a terminal shows: letters, lines and indents, and nothing that moves its cursor."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from medqa_core.foundation.visible import escaped, visible


def test_text_of_any_language_stays() -> None:
    text = "  Fièvre, боль, 痛み, ألم\n\tindented − ▲ 💊"
    assert visible(text) == text


def test_what_moves_the_cursor_goes() -> None:
    assert visible("a\x1b[31mb\x9b2Jc\x07d\re\u202ef\u2066g\x00h\u200bi") == "a[31mb2Jcdefghi"


@given(st.text())
def test_nothing_unseen_is_left(text: str) -> None:
    kept = visible(text)
    assert all(unicodedata.category(c) not in ("Cc", "Cs") or c in "\n\t" for c in kept)
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f") & set(kept)


@given(st.dictionaries(st.text(), st.text()))
def test_escaped_json_means_the_same(value: dict[str, str]) -> None:
    made = escaped(json.dumps(value, ensure_ascii=False))
    assert json.loads(made) == value and visible(made) == made
