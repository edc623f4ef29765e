"""Sizes as numbers, fractions or none, both ways of splitting, and the splits of the shipped runs."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.data import sources, starter
from medqa_core.data.groups import first_keys
from medqa_core.data.pairs import QAPair
from medqa_core.data.split import Split, grouped_split, random_split, split_pairs
from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.store.run_store import RunStore
from tests.support.qa_pairs import pair

SIZE = st.one_of(st.none(), st.integers(1, 60), st.floats(0.01, 0.99))
SIZES = st.tuples(SIZE, SIZE, SIZE)
SEEDS = st.integers(0, 2**32 - 1)


def parts_of(split: Split) -> tuple[tuple[QAPair, ...], ...]:
    return split.train, split.validation, split.test


def config(sizes: tuple[int | float | None, ...], method: str = "grouped", seed: int = 42) -> TrainConfig:
    names = ("train_size", "validation_size", "test_size")
    return TrainConfig.model_validate(
        {**dict(zip(names, sizes, strict=True)), "split_method": method, "split_seed": seed}
    )


@pytest.mark.parametrize("run_id", ["starter", pytest.param("smollm2-medquad", marks=pytest.mark.real)])
def test_the_shipped_runs_split_still_comes_out(run_id: str) -> None:
    record = RunStore(PACKAGE_ROOT / "reports").open(run_id).record
    assert record.config is not None
    assert record.data is not None
    try:
        data = sources.load(record.config.dataset, Settings.from_environment(), fetch=False)
    except DataUnavailable as error:
        pytest.skip(str(error))
    assert split_pairs(data.pairs, record.config).hash == record.data.split_hash


@settings(max_examples=150, deadline=None)
@given(st.integers(3, 80), SIZES, SEEDS, st.sampled_from(["grouped", "random"]))
def test_parts_are_disjoint_and_as_large_as_asked(
    count: int, sizes: tuple[int | float | None, ...], seed: int, method: str
) -> None:
    pairs = [pair(n, topic=f"topic {n // 3}") for n in range(count)]
    try:
        split = split_pairs(pairs, config(sizes, method, seed))
    except InputError as error:
        assert "_size" in str(error) and "\n" not in str(error)
        return
    ids = [p.id for part in parts_of(split) for p in part]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(split.groups)
    for part, size in zip(parts_of(split), sizes, strict=True):
        if isinstance(size, int):
            assert len(part) == size
        elif size is not None:
            assert len(part) <= max(1, round(size * count))
    assert split.hash == split_pairs(pairs[::-1], config(sizes, method, seed)).hash
    if method == "grouped":
        shared = [{key for p in part for key in first_keys(p)} for part in parts_of(split)]
        assert not any(one & other for one, other in combinations(shared, 2))


def test_fractions_are_of_all_usable_pairs() -> None:
    pairs = [pair(n) for n in range(200)]
    for method in ("grouped", "random"):
        assert [len(p) for p in parts_of(split_pairs(pairs, config((0.5, 0.1, 0.2), method)))] == [100, 20, 40]
        assert [len(p) for p in parts_of(split_pairs(pairs, config((0.8, 0.1, 0.1), method)))] == [160, 20, 20]
        assert [len(p) for p in parts_of(split_pairs(pairs, config((None, 0.25, 0.25), method)))] == [100, 50, 50]
        assert [len(p) for p in parts_of(split_pairs(pairs, config((None, 30, 0.1), method)))] == [150, 30, 20]
        assert sum(len(p) for p in parts_of(split_pairs(pairs, config((1 / 3, 1 / 3, 1 / 3), method)))) >= 198
        with pytest.raises(InputError, match=r"0\.7 \+ 0\.7 is more than 1"):
            split_pairs(pairs, config((None, 0.7, 0.7), method))


def test_a_fraction_gives_way_where_groups_are_not_divided() -> None:
    pairs = [pair(n, topic=f"topic {n // 30}") for n in range(300)]  # ten groups of thirty
    split = grouped_split(pairs, (0.5, 0.25, 0.25), 1)
    assert sum(map(len, parts_of(split))) <= 300
    assert all(parts_of(split))


def test_a_random_split_takes_exactly_what_is_asked_and_leaks() -> None:
    pairs = starter.load().pairs
    split = random_split(pairs, (300, 40, 60), 42)
    assert [len(part) for part in parts_of(split)] == [300, 40, 60]
    assert {p.topic for p in split.test} & {p.topic for p in split.train}
    assert split.groups == {i: g for i, g in grouped_split(pairs, (None,) * 3, 42).groups.items() if i in split.groups}
    assert len({random_split(pairs, (300, 40, 60), seed).hash for seed in range(5)}) == 5
    assert [len(part) for part in parts_of(random_split(pairs, (None, None, None), 1))] == [452, 46, 80]
    with pytest.raises(InputError, match=r"^train_size: the sizes add up to 600 of the 578 pairs there are\."):
        random_split(pairs, (500, 50, 50), 1)


def test_the_random_split_of_the_starter_set_is_the_same_on_every_machine() -> None:
    split = random_split(starter.load().pairs, (300, 40, 60), 42)
    assert split.hash.startswith("ba3a50338eab7c18")
