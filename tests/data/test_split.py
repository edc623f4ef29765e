"""A split never leaks, never depends on order or on the process, and is as large and as mixed as was asked for."""

import os
import subprocess
import sys
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.data import starter
from medqa_core.data.pairs import QAPair, normalise
from medqa_core.data.split import GIANT, Split, grouped_split, split_pairs, split_set
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.runs.schema.config import EvaluationConfig, QuestionsConfig, TrainConfig
from tests.support.qa_pairs import pair

ALL = (None, None, None)
SEEDS = st.integers(0, 2**32 - 1)
quick = settings(max_examples=50, deadline=None)


@st.composite
def pair_sets(draw: st.DrawFn) -> list[QAPair]:
    """A few pairs that share documents, topics, questions and answers in all ways; empty fields too."""

    def one_of(name: str) -> str:
        return draw(st.sampled_from(["", *(f"{name} {i}" for i in range(12)), f"{name.upper()}  3!"]))

    return [
        pair(
            number,
            document=one_of("document"),
            topic=one_of("topic"),
            question=one_of("question"),
            answer=one_of("answer"),
            question_type=draw(st.sampled_from("abc")),
            source=draw(st.sampled_from(["s", "t"])),
        )
        for number in range(draw(st.integers(1, 40)))
    ]


def parts_of(split: Split) -> tuple[tuple[QAPair, ...], ...]:
    return split.train, split.validation, split.test


def keys(part: tuple[QAPair, ...]) -> dict[str, set[str]]:
    return {
        "document": {p.document for p in part} - {""},
        "topic": {normalise(p.topic) for p in part} - {""},
        "question": {normalise(p.question) for p in part} - {""},
        "answer": {normalise(p.answer) for p in part} - {""},
    }


@quick
@given(pair_sets(), SEEDS)
def test_nothing_is_shared_and_nothing_is_lost(pairs: list[QAPair], seed: int) -> None:
    split = grouped_split(pairs, ALL, seed)
    for one, other in combinations(map(keys, parts_of(split)), 2):
        assert {name for name in one if one[name] & other[name]} == set()
    assert sorted(p.id for part in parts_of(split) for p in part) == [p.id for p in pairs]
    groups = [{split.groups[p.id] for p in part} for part in parts_of(split)]
    assert not any(one & other for one, other in combinations(groups, 2))


@quick
@given(pair_sets(), SEEDS, st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_is_irrelevant(pairs: list[QAPair], seed: int, random: object) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = grouped_split(pairs, ALL, seed), grouped_split(shuffled, ALL, seed)
    assert one == other
    assert one.hash == other.hash


@quick
@given(pair_sets(), SEEDS, st.tuples(*[st.integers(1, 12)] * 3))
def test_sizes_are_exact_or_refused_by_name(pairs: list[QAPair], seed: int, sizes: tuple[int, int, int]) -> None:
    try:
        split = grouped_split(pairs, sizes, seed)
    except InputError as error:
        assert str(error).partition(":")[0] in {"train_size", "validation_size", "test_size"}
        return
    assert tuple(map(len, parts_of(split))) == sizes
    for one, other in combinations(map(keys, parts_of(split)), 2):
        assert {name for name in one if one[name] & other[name]} == set()
    assert set(split.groups) == {p.id for part in parts_of(split) for p in part}


@quick
@given(pair_sets(), SEEDS)
def test_a_group_is_what_is_linked_in_any_number_of_steps(pairs: list[QAPair], seed: int) -> None:
    groups = grouped_split(pairs, ALL, seed).groups
    reached = {p.id: {p.id} for p in pairs}
    for one, other in combinations(pairs, 2):
        mine, theirs = keys((one,)), keys((other,))
        if any(mine[name] & theirs[name] for name in mine):
            together = reached[one.id] | reached[other.id]
            for id_ in together:
                reached[id_] = together
    assert {p.id: groups[p.id] for p in pairs} == {p.id: min(reached[p.id]) for p in pairs}


def test_too_much_names_the_field_and_what_there_is() -> None:
    pairs = [pair(n) for n in range(100)]
    said = r"^test_size: at most \d+ test pairs are available without leakage; you asked for 1,000\.$"
    with pytest.raises(InputError, match=said):
        grouped_split(pairs, (None, None, 1000), 1)
    with pytest.raises(InputError, match=r"^train_size: "):
        grouped_split(pairs, (101, 10, 10), 1)


def test_no_pairs_give_empty_parts() -> None:
    assert parts_of(grouped_split([], ALL, 1)) == ((), (), ())


def test_another_seed_gives_another_split() -> None:
    data = starter.load().pairs
    assert len({grouped_split(data, (200, 30, 30), seed).hash for seed in range(5)}) == 5


def test_the_hash_sees_every_part_id_and_word() -> None:
    pairs = [pair(n) for n in range(30)]
    split = grouped_split(pairs, ALL, 1)
    moved = Split(split.train[1:], (*split.validation, split.train[0]), split.test, split.groups)
    changed = grouped_split([pair(0, answer="Something else."), *pairs[1:]], ALL, 1)
    assert len({split.hash, moved.hash, changed.hash}) == 3
    reordered = Split(split.train[::-1], split.validation, split.test, split.groups)
    assert reordered.hash == split.hash


def test_the_same_split_in_another_process_with_another_hash_seed() -> None:
    code = (
        "from medqa_core.data import starter\nfrom medqa_core.data.split import grouped_split\n"
        "split = grouped_split(starter.load().pairs[::-1], (300, 40, 60), 7)\n"
        "print(split.hash, *(p.id for p in split.train))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(PACKAGE_ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    here = grouped_split(starter.load().pairs, (300, 40, 60), 7)
    assert done.stdout.split() == [here.hash, *(p.id for p in here.train)]


def test_each_stratum_gets_its_share() -> None:
    kinds = {"common": 600, "usual": 300, "rare": 100}
    pairs = [
        pair(number, question_type=kind, source="s" if number % 2 else "t")
        for number, kind in enumerate(kind for kind, count in kinds.items() for _ in range(count))
    ]
    split = grouped_split(pairs, (300, 60, 60), 3)
    for part in parts_of(split):
        counts = Counter((p.source, p.question_type) for p in part)
        for source in ("s", "t"):
            for kind, count in kinds.items():
                assert abs(counts[source, kind] - len(part) * count / 2000) < 1.0001


def test_the_starter_set_is_split_near_its_own_mix() -> None:
    data = starter.load().pairs
    whole = Counter(p.question_type for p in data)
    for seed in range(4):
        split = grouped_split(data, (300, 40, 60), seed)
        for part in parts_of(split):
            found = Counter(p.question_type for p in part)
            assert all(abs(found[kind] / len(part) - whole[kind] / len(data)) < 0.04 for kind in whole)


def test_the_giant_component_goes_to_training() -> None:
    giant = [pair(n, answer="It is inherited in one pattern.") for n in range(30)]
    others = [pair(n) for n in range(30, 200)]
    giant += [pair(n, topic="Inherited things") for n in range(200, 220)]  # a second one, not linked to the first
    assert min(len(giant) - 20, 20) > GIANT * 220
    for seed in range(10):
        split = grouped_split([*others, *giant], ALL, seed)
        assert {p.id for p in giant} <= {p.id for p in split.train}
        assert split.validation
        assert split.test


def test_nothing_but_one_giant_leaves_the_other_parts_empty() -> None:
    split = grouped_split([pair(n, topic="same") for n in range(20)], ALL, 1)
    assert len(split.train) == 20
    assert split.validation == split.test == ()


def test_a_sample_of_the_test_questions() -> None:
    split = grouped_split([pair(n) for n in range(60)], (20, 10, 20), 1)
    some = split.with_test_sample(7)
    assert some.test == split.with_test_sample(7).test
    assert len(set(some.test)) == 7 and set(some.test) < set(split.test)
    assert [one for one in split.test if one in some.test] == list(some.test)
    assert (some.train, some.validation) == (split.train, split.validation)
    assert split.with_test_sample(None) is split.with_test_sample(20) is split


def test_the_split_of_a_data_set_is_kept_until_what_decides_it_changes() -> None:
    data, config = starter.load(), TrainConfig()
    first = split_set(data, config)
    assert split_set(data, config.model_copy(update={"title": "Another", "epochs": 9.0, "learning_rate": 0.1})) is first
    sizes = [(f"{part}_size", size) for part in ("train", "validation", "test") for size in (20, 0.05)]
    for name, value in [*sizes, ("split_method", "random"), ("split_version", 1), ("split_seed", 7)]:
        changed = config.model_copy(update={name: value})
        assert split_set(data, changed) == split_pairs(data.pairs, changed) != first
    asked: list[QuestionsConfig] = [EvaluationConfig(dataset="starter", test_size=n, split_seed=n) for n in (5, 6)]
    assert [split_set(data, one) for one in asked] == [split_pairs(data.pairs, one) for one in asked]
