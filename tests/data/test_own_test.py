"""A test file beside a training file: its questions are the test, what both hold is a leak that is measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.data import sources
from medqa_core.data.describe import describe, leakage_sentence, with_default_sizes
from medqa_core.data.lookup import fingerprint_of
from medqa_core.data.preparation import data_for
from medqa_core.data.proposal import TooSmall, check_parts, proposal
from medqa_core.data.split import split_pairs
from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import check
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.presets import from_preset, own_data
from medqa_core.runs.schema.record import SplitSizes


@pytest.fixture
def lab(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=tmp_path / "cache", medquad=None, mmlu=None, public=False)


def written(path: Path, numbers: range, topic: str = "") -> Path:
    rows = [{"id": n - numbers[0], "question": f"What is ill {n}?", "answer": f"Ill {n} is made up.",
             "topic": topic or f"ill {n}"} for n in numbers]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def of(path: Path, test: Path | None = None, **fields: object) -> TrainConfig:
    return TrainConfig.model_validate({"dataset": str(path), "test_dataset": str(test) if test else None, **fields})


@pytest.mark.parametrize("method", ["grouped", "random"])
def test_the_test_file_is_the_test_and_its_leak_is_measured(tmp_path: Path, lab: Settings, method: str) -> None:
    train, test = written(tmp_path / "train.jsonl", range(100)), written(tmp_path / "test.jsonl", range(90, 120))
    config = of(train, test, split_method=method)
    data = data_for(config, lab)
    found = describe(data, config)
    assert (found.sizes.train, found.sizes.validation, found.sizes.test) == (90, 10, 30)
    assert {pair.question for pair in found.split.test} == {f"What is ill {n}?" for n in range(90, 120)}
    trained = {pair.question for pair in found.split.train}
    shared = sum(pair.question in trained for pair in found.split.test)
    assert shared > 0 and found.overlap.question == found.overlap.answer == shared
    assert "of 30 test questions" in leakage_sentence(found.overlap, 30)
    assert found.facts()["split_method"].startswith("the test set is a file of its own; the rest: ")
    assert "30 pairs of test.jsonl are the test questions" in data.filters
    assert data.title == "train.jsonl with test.jsonl as its test" and data.pairs_parsed == 130
    assert with_default_sizes(config, data).test_size is None
    assert data_for(config, lab) is data  # read once
    groups = found.split.groups  # a topic that both files hold is one group: its questions are not independent
    assert sum(groups[pair.id] in {groups[p.id] for p in found.split.train} for pair in found.split.test) == shared


def test_sizes_of_a_test_file(tmp_path: Path, lab: Settings) -> None:
    train, test = written(tmp_path / "train.jsonl", range(50)), written(tmp_path / "test.jsonl", range(60, 80))
    config = of(train, test, train_size=20, validation_size=5, test_size=0.5)
    assert split_pairs(data_for(config, lab).pairs, config).sizes == SplitSizes(train=20, validation=5, test=10)
    config = of(train, test, test_size=21)
    with pytest.raises(InputError, match=r"^test_size: the test file holds 20 pairs; you asked for 21\."):
        split_pairs(data_for(config, lab).pairs, config)
    starter = of(train, None, test_dataset="starter", columns={"topic": "topic"})
    assert split_pairs(data_for(starter, lab).pairs, starter).sizes.test == 578


def test_a_worker_gets_both_paths_and_a_kept_library_follows_both(
    tmp_path: Path, lab: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "train.jsonl", range(50))
    written(tmp_path / "test.jsonl", range(60, 80))
    monkeypatch.chdir(tmp_path)
    config = from_preset("smoke", own_data("train.jsonl", "test.jsonl"))
    assert (config.train_size, config.validation_size, config.test_size) == (None, None, None)
    checked = check(config, lab)
    assert checked.dataset == str(tmp_path / "train.jsonl") and checked.test_dataset == str(tmp_path / "test.jsonl")
    before = fingerprint_of(checked, lab)
    written(tmp_path / "test.jsonl", range(60, 90))
    assert fingerprint_of(checked, lab) != before
    assert own_data(None) == {}


def test_visitors_of_a_demo_are_shown_no_test_file(tmp_path: Path, lab: Settings) -> None:
    config = TrainConfig(dataset="starter", test_dataset=str(written(tmp_path / "test.jsonl", range(9))))
    with pytest.raises(DataUnavailable, match="public demo"):
        fingerprint_of(config, replace(lab, public=True))


def test_a_file_of_one_row_says_what_is_missing(tmp_path: Path, lab: Settings) -> None:
    (tmp_path / "my.csv").write_text("question,answer\nWhat is a cold?,An infection of the nose.\n")
    config = of(tmp_path / "my.csv")
    data = sources.load(config.dataset, lab)
    with pytest.raises(TooSmall) as caught:
        check_parts(data, split_pairs(data.pairs, config), config)
    assert caught.value.reason == (
        "my.csv is too small to split without leakage; the validation split is empty: 1 pair in 1 group of one topic "
        "or text. Add pairs, three at least, or name a test file of your own (`test_dataset`)."
    )
    assert caught.value.field == "validation_size" and caught.value.proposal is None


@pytest.mark.parametrize(
    ("pairs", "topics", "fields", "changes", "sizes"),
    [
        (5, 1, {}, {"split_method": "random", "validation_size": 1, "test_size": 1}, (3, 1, 1)),
        (48, 1, {}, {"split_method": "random", "validation_size": 4, "test_size": 7}, (37, 4, 7)),
        (3, 1, {}, {"split_method": "random", "validation_size": 1, "test_size": 1}, (1, 1, 1)),
        (5, 5, {"split_method": "random"}, {"validation_size": 1, "test_size": 1}, (3, 1, 1)),
        (9, 2, {}, {"split_method": "random", "validation_size": 1, "test_size": 1}, (7, 1, 1)),
        (2, 1, {}, None, None),
    ],
)
def test_tiny_data_get_a_proposal(
    tmp_path: Path,
    lab: Settings,
    pairs: int,
    topics: int,
    fields: dict[str, object],
    changes: dict[str, object] | None,
    sizes: tuple[int, int, int] | None,
) -> None:
    rows = [{"question": f"What of {n}?", "answer": f"That of {n}.", "topic": f"t{n % topics}"} for n in range(pairs)]
    (tmp_path / "my.jsonl").write_text("\n".join(map(json.dumps, rows)))
    config = of(tmp_path / "my.jsonl").model_copy(update=fields)
    data = sources.load(config.dataset, lab)
    with pytest.raises(TooSmall) as caught:
        check_parts(data, split_pairs(data.pairs, config), config)
    found = caught.value.proposal
    assert "my.jsonl is too small to split without leakage" in str(caught.value)
    if changes is None:
        assert found is None and "Add pairs, three at least, or name a test file of your own" in str(caught.value)
        return
    assert found is not None and found.changes == changes and found.leaks == ("split_method" in changes)
    assert (found.sizes.train, found.sizes.validation, found.sizes.test) == sizes
    assert f"validation_size={changes['validation_size']}" in str(caught.value)
    better = config.model_copy(update=found.changes)
    check_parts(data, split_pairs(data.pairs, better), better)


def test_a_proposal_beside_a_test_file(tmp_path: Path, lab: Settings) -> None:
    train = written(tmp_path / "train.jsonl", range(5), topic="one")
    config = of(train, written(tmp_path / "test.jsonl", range(60, 80)))
    found = proposal(data_for(config, lab).pairs, config)
    assert found is not None and found.sizes.model_dump() == {"train": 4, "validation": 1, "test": 20}
    with pytest.raises(TooSmall, match=r"Add pairs on other topics, set split_method=random validation_size=1 \(4 for"):
        check(config, lab)
