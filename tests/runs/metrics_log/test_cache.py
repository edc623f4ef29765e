"""A long curve that was read before is not parsed again, and what is kept never outlives the file it was read from."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from medqa_core.runs.metrics_log import cache, parsed_log
from medqa_core.runs.metrics_log.log import MetricsLog, MetricsLogWriter, encode_row, read_metrics_log
from medqa_core.runs.metrics_log.rows import ParsedLines, parse


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every file is long enough, pieces and samples are small, and the cache is this test's own."""
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "CACHED_FROM", 1)
    monkeypatch.setattr(parsed_log, "PIECE", 1000)
    monkeypatch.setattr(cache, "SAMPLE", 300)
    cache.forget()
    yield
    cache.forget()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    append(folder, *range(1, 101))
    return folder


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of each piece that is parsed from now on, empty ones apart."""
    seen: list[int] = []

    def counting(content: bytes) -> ParsedLines:
        seen.extend([len(content)] * bool(content))
        return parse(content)

    monkeypatch.setattr(parsed_log, "parse", counting)
    return seen


def append(folder: Path, *steps: int, attempt: int = 1) -> None:
    writer = MetricsLogWriter(folder / "metrics.jsonl")
    for step in steps:
        writer.append("train", step=step, attempt=attempt, loss=step / 3 + attempt)
        if step % 10 == 0:
            writer.append("validation", step=step, attempt=attempt, loss=step / 5)
    writer.close()


def fresh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> MetricsLog:
    """What a reader without any cache says."""
    with monkeypatch.context() as patch:
        patch.setattr(cache, "CACHED_FROM", 2**60)
        return read_metrics_log(folder)


def same(one: MetricsLog, other: MetricsLog) -> bool:
    return one.problems == other.problems and all(
        a.non_finite_steps == b.non_finite_steps
        and all(np.array_equal(a[name], b[name], equal_nan=True) for name in a.columns)
        for a, b in ((one.train, other.train), (one.validation, other.validation))
    )


def test_reading_on_costs_the_new_lines_alone(run: Path, parsed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_metrics_log(run)
    assert sum(parsed) == (run / "metrics.jsonl").stat().st_size
    parsed.clear()
    assert same(read_metrics_log(run), before) and not parsed
    append(run, 101, 102)
    after = read_metrics_log(run)
    assert 0 < sum(parsed) < 400
    assert same(after, fresh(run, monkeypatch)) and len(after.train) == 102
    assert len(before.train) == 100, "what was handed out stays as it was"


def test_a_log_that_was_handed_out_does_not_grow(run: Path) -> None:
    path = (run / "metrics.jsonl").resolve()
    with open(path, "rb") as file:
        before = cache.cached_log(path, file)
        append(run, 101)
        after = cache.cached_log(path, file)
    assert (before.train.block.shape[1], after.train.block.shape[1]) == (100, 101)
    with pytest.raises(ValueError, match="read-only"):
        before.train.block[0, 0] = 5


def test_a_new_process_takes_it_from_the_disk(run: Path, parsed: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_metrics_log(run)
    cache.forget()
    append(run, 101)
    parsed.clear()
    after = read_metrics_log(run)
    assert 0 < sum(parsed) < 400
    assert same(after, fresh(run, monkeypatch)) and len(before.train) == 100


def test_the_disk_keeps_up_with_a_growing_file(run: Path, parsed: list[int]) -> None:
    read_metrics_log(run)
    append(run, *range(101, 301))
    read_metrics_log(run)
    cache.forget()
    parsed.clear()
    assert len(read_metrics_log(run).train) == 300 and not parsed


def test_of_a_step_logged_again_the_later_attempt_counts(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_metrics_log(run)
    append(run, *range(90, 121), attempt=2)
    found = read_metrics_log(run)
    assert same(found, fresh(run, monkeypatch))
    assert found.train["step"].tolist() == list(range(1, 121))
    assert found.train["attempt"].tolist() == [1.0] * 89 + [2.0] * 31


def test_a_line_without_its_end_is_read_anew_each_time(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = encode_row("train", step=101, loss=1.0).encode()
    for length in (5, len(line) - 2, len(line) - 1, len(line)):
        whole = (run / "metrics.jsonl").read_bytes()
        (run / "metrics.jsonl").write_bytes(whole + line[:length])
        found = read_metrics_log(run)
        assert same(found, fresh(run, monkeypatch))
        assert len(found.train) == (101 if length >= len(line) - 1 else 100)
        assert len(found.problems) == (length < len(line) - 1)
        os.truncate(run / "metrics.jsonl", len(whole))
        assert same(read_metrics_log(run), fresh(run, monkeypatch))


def other_head(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b'"step": 1,', b'"step": 7,', 1) + encode_row("train", step=200, loss=1.0).encode()
    )


def other_tail(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"step": 99,', b'"step": 98,') + encode_row("train", step=200, loss=1.0).encode())


def changed_in_place(path: Path) -> None:
    time.sleep(0.01)
    path.write_bytes(path.read_bytes().replace(b'"step": 50,', b'"step": 51,'))


def shorter(path: Path) -> None:
    os.truncate(path, 2000)


def another_file(path: Path) -> None:
    content = (
        path.read_bytes().replace(b'"step": 50,', b'"step": 51,') + encode_row("train", step=200, loss=1.0).encode()
    )
    beside = path.with_name("new")
    beside.write_bytes(content)
    os.replace(beside, path)


@pytest.mark.parametrize("change", [other_head, other_tail, changed_in_place, shorter, another_file])
@pytest.mark.parametrize("kept", ["in memory", "on the disk"])
def test_another_file_in_its_place_is_read_anew(
    run: Path, change: Callable[[Path], None], kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_metrics_log(run)
    change(run / "metrics.jsonl")
    if kept == "on the disk":
        cache.forget()
    found = read_metrics_log(run)
    assert same(found, fresh(run, monkeypatch)) and not same(found, before)


def spoil_fingerprint(folder: Path) -> None:
    (folder / "fingerprint.json").write_text("{")


def of_another_format(folder: Path) -> None:
    stamp = json.loads((folder / "fingerprint.json").read_text())
    (folder / "fingerprint.json").write_text(json.dumps(stamp | {"format": 2}))


def truncate_rows(folder: Path) -> None:
    os.truncate(folder / "train.npy", 500)


def other_shape(folder: Path) -> None:
    np.save(folder / "train.npy", np.zeros((3, 3)))


def pickled(folder: Path) -> None:
    np.save(folder / "train.npy", np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize("damage", [spoil_fingerprint, of_another_format, truncate_rows, other_shape, pickled])
def test_a_damaged_copy_is_not_used(run: Path, damage: Callable[[Path], None], parsed: list[int]) -> None:
    before = read_metrics_log(run)
    cache.forget()
    [folder] = cache._folder(run).parent.iterdir()
    damage(folder)
    parsed.clear()
    assert same(read_metrics_log(run), before) and parsed


def test_a_cache_that_cannot_be_written_is_merely_slower(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "file"))
    assert len(read_metrics_log(run).train) == 100


def test_the_reader_does_not_wait_for_the_copy(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is logged while it is written is read on from memory, without a second copy."""
    go_on, real, saved = threading.Event(), cache._save, list[int]()

    def slow(path: Path, kept: cache._Kept) -> bool:
        go_on.wait(30)
        saved.append(kept.log.parsed)
        return real(path, kept)

    monkeypatch.setattr(cache, "_save", slow)
    before = read_metrics_log(run)
    append(run, *range(101, 161))
    assert len(read_metrics_log(run).train) > len(before.train) and not saved
    go_on.set()
    cache.await_copies()
    assert len(saved) == 1
    assert len(read_metrics_log(run).train) > len(before.train)
    cache.forget()
    assert len(saved) == 2, "it had grown by more than a tenth"


def test_old_copies_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "ON_DISK", 3)
    for number in range(5):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        append(folder, 1, 2)
        read_metrics_log(folder)
        cache.await_copies()
    assert len(list((tmp_path / "cache" / "metrics_log").iterdir())) == 3
    assert len(cache._memory) == cache.IN_MEMORY
