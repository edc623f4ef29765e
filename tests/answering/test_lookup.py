"""Guesses of what comes next: what stood there before, as many as were right lately, and never too many."""

from hypothesis import given
from hypothesis import strategies as st

from medqa_core.answering.lookup import MATCH, MOST, Lookup

TOKENS = st.lists(st.integers(0, 3), max_size=60)


def test_what_followed_the_same_tokens_is_guessed_again() -> None:
    lookup = Lookup([1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert lookup.guesses(10) == []
    for token in (1, 2):
        lookup.add(token)
    assert lookup.guesses(10) == []  # two tokens in agreement are too few
    lookup.add(3)
    assert lookup.guesses(10) == [4, 5, 6]
    assert lookup.guesses(2) == [4, 5] and lookup.guesses(0) == []


def test_the_latest_of_two_places_counts() -> None:
    assert Lookup([1, 2, 3, 7, 1, 2, 3, 8, 1, 2, 3]).guesses(1) == [8]


def test_a_run_that_reaches_to_the_end_is_guessed_as_far_as_it_goes() -> None:
    assert Lookup([5] * 6).guesses(10) in ([5], [5, 5], [5, 5, 5])


def test_more_are_guessed_where_all_were_right_and_fewer_where_many_were_wrong() -> None:
    lookup = Lookup([*range(20), 0, 1, 2])
    counts = []
    for guessed, right in ((3, 3), (5, 5), (7, 7), (7, 0), (3, 0), (1, 0), (0, 0)):
        lookup.learn(guessed, right)
        counts.append(len(lookup.guesses(99)))
    assert counts == [5, 7, 7, 3, 1, 1, 1]


def test_short_prompts() -> None:
    for size in range(MATCH + 1):
        assert Lookup([1] * size).guesses(5) == []


@given(TOKENS, TOKENS, st.integers(0, 20))
def test_every_guess_stood_behind_the_same_tokens(prompt: list[int], answer: list[int], most: int) -> None:
    lookup = Lookup(prompt)
    for token in answer:
        lookup.add(token)
    whole, guesses = prompt + answer, lookup.guesses(most)
    assert len(guesses) <= min(most, MOST)
    if guesses:
        seen = [*whole[-MATCH:], *guesses]
        assert any(whole[at : at + len(seen)] == seen for at in range(len(whole)))
    elif most and len(whole) >= MATCH:
        assert all(whole[at : at + MATCH] != whole[-MATCH:] for at in range(len(whole) - MATCH))
