"""How much of a text stands word for word in others."""

from itertools import pairwise
from random import Random

import pytest

from medqa_core.data.overlap import COPIED_RUN, CopyIndex, N, NgramIndex, Span
from medqa_core.data.words import words
from tests.support.scripts import ANSWERS, without_end

WORDS = [f"word{n}" for n in range(40)]


def test_a_copy_overlaps_whole_and_a_stranger_not_at_all() -> None:
    index = NgramIndex([" ".join(WORDS)])
    assert index.share(" ".join(WORDS)) == 1
    assert index.share("Word3, WORD4 word5 -- " + " ".join(WORDS[6:20])) == 1
    assert index.share(" ".join(WORDS[::-1])) == 0


def test_half_a_copy_counts_its_ngrams() -> None:
    index = NgramIndex([" ".join(WORDS[:20])])
    text = " ".join(WORDS[:20] + ["new"] * 20)
    assert index.share(text) == pytest.approx((20 - N + 1) / (40 - N + 1))


def test_a_short_text_counts_only_as_a_whole() -> None:
    index = NgramIndex(["It is inherited.", " ".join(WORDS)])
    assert index.share("it is INHERITED") == 1
    assert index.share("It is") == 0
    assert index.share(" ".join(WORDS[: N - 1])) == 0


def test_no_words_overlap_with_nothing() -> None:
    index = NgramIndex(["", "?!"])
    assert index.share("") == 0
    assert index.share("…") == 0
    assert index.share("word") == 0


def test_another_length() -> None:
    assert NgramIndex(["a b c d"], n=2).share("b c e") == 0.5


def test_a_copy_names_where_it_is_from() -> None:
    index = CopyIndex([("other", " ".join(WORDS[::-1])), ("source", " ".join(WORDS)), ("twin", " ".join(WORDS))])
    assert index.nearest(" ".join(WORDS)) == (1, "source")
    assert index.nearest("Word3, WORD4 -- " + " ".join(WORDS[5:12])) == (1, "source")
    assert index.nearest("all of this is new and stands nowhere else in the texts") == (0, None)


def test_words_in_copied_runs_count_and_runs_from_two_texts_do_not_add_up() -> None:
    index = CopyIndex([("a", " ".join(WORDS[:20])), ("b", " ".join(WORDS[20:]))])
    text = " ".join([*WORDS[:12], "new", "new", *WORDS[20:28]])
    assert index.nearest(text) == (12 / 22, "a")
    exchanged = " ".join("name" if n == 9 else word for n, word in enumerate(WORDS[:18]))
    assert index.nearest(exchanged) == (17 / 18, "a")  # runs of nine and of eight words around one exchanged name


def test_fewer_words_than_a_run_are_copied_only_as_a_whole() -> None:
    index = CopyIndex([("short", "It is inherited."), ("long", " ".join(WORDS))])
    assert index.nearest("it is INHERITED") == (1, "short")
    assert index.nearest(" ".join(WORDS[: COPIED_RUN - 1])) == (0, None)
    assert index.nearest("") == (0, None)


def kinds(spans: list[Span]) -> list[tuple[str, str]]:
    return [(span.kind, span.text) for span in spans]


def test_spans_tell_copied_nearly_copied_and_novel() -> None:
    index = CopyIndex([("other", " ".join(WORDS[::-1])), ("source", " ".join(WORDS))])
    text = f"New, {' '.join(WORDS[:9])}. Then: {' '.join(WORDS[20:24])}! (End)"
    assert kinds(index.spans(text)) == [
        ("novel", "New, "),
        ("copied", f"{' '.join(WORDS[:9])}. "),
        ("novel", "Then: "),
        ("near copy", f"{' '.join(WORDS[20:24])}! ("),
        ("novel", "End)"),
    ]
    assert {span.id for span in index.spans(text) if span.kind != "novel"} == {"source"}
    assert {span.id for span in index.spans(text) if span.kind == "novel"} == {None}


def test_the_copied_words_of_the_spans_are_those_of_nearest() -> None:
    index = CopyIndex([("a", " ".join(WORDS[:20])), ("b", " ".join(WORDS[20:]))])
    text = " ".join([*WORDS[:12], "new", "new", *WORDS[20:28]])
    share, id_ = index.nearest(text)
    copied = [word for span in index.spans(text) if span.kind == "copied" for word in words(span.text)]
    assert len(copied) / len(words(text)) == share and id_ == "a"
    assert all(span.id in (id_, None) for span in index.spans(text))


def test_without_a_copied_run_one_run_of_four_is_a_turn_of_phrase() -> None:
    index = CopyIndex([("source", " ".join(WORDS))])
    assert kinds(index.spans(f"so {' '.join(WORDS[:4])} new")) == [("novel", f"so {' '.join(WORDS[:4])} new")]
    two = index.spans(f"so {' '.join(WORDS[:5])} new")
    assert kinds(two) == [("novel", "so "), ("near copy", f"{' '.join(WORDS[:5])} "), ("novel", "new")]


def test_words_that_folding_does_not_keep_apart_share_the_weaker_kind() -> None:
    index = CopyIndex([("source", f"{' '.join(WORDS[:8])} cafés 1 2")])
    text = f"{' '.join(WORDS[:8])} cafe\u0301s ½ new"
    assert kinds(index.spans(text)) == [("copied", f"{' '.join(WORDS[:8])} cafe\u0301s ½ "), ("novel", "new")]
    apart = f"{' '.join(WORDS[:8])} cafe\u0301s,new"
    assert kinds(index.spans(apart)) == [("copied", f"{' '.join(WORDS[:8])} cafe\u0301s,"), ("novel", "new")]
    torn = f"{' '.join(WORDS[:8])} cafés 1 ½"
    assert kinds(index.spans(torn))[-1] == ("novel", "½")


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_overlap_and_copies_see_different_last_words_in_any_script(text: str) -> None:
    changed = without_end(text)
    assert NgramIndex([text]).share(text) == 1
    assert 0 < NgramIndex([text]).share(changed) < 1
    assert CopyIndex([("known", text)]).nearest(text) == (1, "known")
    share, _ = CopyIndex([("known", text)]).nearest(changed)
    assert 0.4 < share < 1
    assert CopyIndex([("known", text)]).spans(changed)[-1].kind == "novel"


def test_nothing_to_mark() -> None:
    assert CopyIndex([]).spans("A few words that are new.") == [Span("A few words that are new.", "novel", None)]
    assert CopyIndex([("a", "")]).spans("") == []
    assert CopyIndex([("a", "…")]).spans(" … ") == [Span(" … ", "novel", None)]
    assert CopyIndex([("short", "It is inherited.")]).spans("it is INHERITED!")[0].kind == "copied"


def test_joined_spans_are_the_text_whatever_it_is() -> None:
    random = Random(0)
    alphabet = [*"abcde   .,;:()!?\n\t-", "é", "e\u0301", "ﬁ", "½", "Σ", "中", "\u00a0", "\u200b", "🙂", "¨", "\ud83d"]
    index = CopyIndex((str(n), "".join(random.choices(alphabet, k=200))) for n in range(20))
    known = CopyIndex([("x", "a b c d e a b c d e b b c")])
    for _ in range(300):
        text = "".join(random.choices(alphabet, k=random.randrange(80)))
        for one in (index, known):
            found = one.spans(text)
            assert "".join(span.text for span in found) == text
            assert all(span.text for span in found)
            assert all(left.kind != right.kind for left, right in pairwise(found))
            assert sum(len(words(s.text)) for s in found) >= len(words(text))
