"""Logs of Inspect, as `.eval` and as JSON, become evaluations that stand beside lm-evaluation-harness's."""

import json
import struct
import zlib
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pandas as pd
import pyarrow as pa
import pytest

from medqa_core.evaluation.paired_items import paired_tasks
from medqa_core.foundation.errors import InputError
from medqa_core.runs.artifacts.items import ITEMS, read_items
from medqa_core.runs.artifacts.mmlu import read_results
from medqa_core.runs.importers import import_path, inspect_file
from medqa_core.runs.importers.inspect_log import WRITTEN
from medqa_core.runs.importers.lm_eval import NO_ITEMS
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import inspect_log

RIGHT = [1, 0, 1, 1, 0, 1, 1, 1, 0, 1]


def archive(path: Path, log: dict[str, Any], pack: int = ZIP_DEFLATED) -> Path:
    """A log as `.eval`."""
    header = {key: value for key, value in log.items() if key != "samples"}
    with ZipFile(path, "w", pack) as out:
        out.writestr("_journal/start.json", json.dumps({"version": 2, "eval": log["eval"]}))
        for sample in log["samples"]:
            out.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        out.writestr("header.json", json.dumps(header))
    return path


def zstandard(path: Path, log: dict[str, Any], packing: int = 93) -> Path:
    """The same with members in Zstandard, as Inspect writes them; Python 3.11 cannot."""
    header = {key: value for key, value in log.items() if key != "samples"}
    members = {f"samples/{s['id']}_epoch_{s['epoch']}.json": s for s in log["samples"]} | {"header.json": header}
    body, directory = b"", b""
    for name, value in members.items():
        content = json.dumps(value).encode()
        packed = pa.compress(content, codec="zstd", asbytes=True)
        about = struct.pack(
            "<HHHHHIIIHH", 63, 0, packing, 0, 33, zlib.crc32(content), len(packed), len(content), len(name), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<H", 63) + about + struct.pack("<HHHII", 0, 0, 0, 0, len(body))
        directory += name.encode()
        body += b"PK\x03\x04" + about + name.encode() + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


def plain(path: Path, log: dict[str, Any]) -> Path:
    path.write_text(json.dumps(log))
    return path


WAYS = {"json": (plain, "log.json"), "eval": (archive, "log.eval"), "zstd": (zstandard, "log.eval")}


def imported(run: Run) -> ImportRecord:
    assert run.record.imported is not None
    return run.record.imported


def items(run: Run) -> pd.DataFrame:
    found = read_items(run.folder).value
    assert found is not None
    return found


@pytest.mark.parametrize("way", WAYS)
def test_mmlu_stands_beside_the_harness_s(way: str, store: RunStore, tmp_path: Path) -> None:
    write, name = WAYS[way]
    run = import_path(write(tmp_path / name, inspect_log(RIGHT)), store)
    record = imported(run)
    assert (record.format, run.id, run.record.title) == ("inspect", "mmlu-someone-small", "MMLU of someone/small")
    assert run.record.base_model is not None and run.record.base_model.id == "someone/small"
    assert str(run.record.created_at) == "2026-01-02 03:04:05+00:00"
    assert record.figures["mmlu_anatomy"] == 0.7 and record.figures["mmlu_anatomy_n"] == 10
    assert (record.figures["n_shot"], record.figures["temperature"]) == (0, 0.0)
    [subset] = read_results(run.folder).fine_tuned
    assert (subset.subset, subset.accuracy, subset.n) == ("anatomy", 0.7, 10)
    assert read_results(run.folder).scoring is None, "neither by letter nor by cloze"
    assert [(one.metric, one.value, one.stderr, one.n) for one in record.tasks] == [
        ("accuracy (choice)", 0.7, 0.15, 10)
    ]
    assert [check.passed for check in record.checks] == [True] and WRITTEN in record.notes
    assert NO_ITEMS not in record.missing and run.record.environment is not None
    assert run.record.environment.packages == {"inspect_ai": "0.3.285"}
    assert items(run)[["task", "metric", "value"]].values.tolist() == [
        ["mmlu_anatomy", "choice", float(value)] for value in RIGHT
    ]
    assert b"made-up" not in (run.folder / ITEMS).read_bytes()
    assert not any("made-up" in path.read_text() for path in run.folder.rglob("*.json"))


def test_two_logs_are_judged_pair_by_pair(store: RunStore, tmp_path: Path) -> None:
    right = [1] * 20 + [0] * 20
    better = [1] * 18 + [0] * 2 + [1] * 16 + [0] * 4
    first = import_path(plain(tmp_path / "a.json", inspect_log(right)), store)
    other = inspect_log(better, model="openai/large")
    other["samples"].reverse()  # shuffled, and numbered anew: the question itself is what makes it the same
    for n, sample in enumerate(other["samples"]):
        sample["id"] = n
        sample["input"] = [
            {"role": "system", "content": "Five examples."},
            {"role": "user", "content": [{"type": "text", "text": sample["input"]}]},
        ]
    second = import_path(archive(tmp_path / "b.eval", other), store)
    assert second.record.base_model is not None and second.record.base_model.id == "openai/large"
    [task] = paired_tasks(items(first), items(second))
    assert (task.task, task.n, task.first, task.second, task.verdict) == ("mmlu_anatomy", 40, 0.5, 0.85, "better")


def test_what_is_no_mmlu_is_a_task_of_its_own(store: RunStore, tmp_path: Path) -> None:
    for name, changes in (
        ("pubmedqa", {"task": "inspect_evals/pubmedqa"}),
        ("hindi", {"task_args": {"language": "HI_IN"}}),
        ("translated", {"dataset": {"name": "openai/MMMLU", "location": "openai/MMMLU"}}),
    ):
        run = import_path(plain(tmp_path / f"{name}.json", inspect_log(RIGHT, **changes)), store)
        assert run.evaluation() is None and not (run.folder / "mmlu_results").exists()
        assert set(items(run)["task"]) == {changes.get("task", "mmlu_0_shot")}
        assert imported(run).tasks and not any("mmlu_" in name for name in imported(run).figures)


def test_scores_of_other_kinds(store: RunStore, tmp_path: Path) -> None:
    log = inspect_log(RIGHT, task="own", config={"epochs": 2, "limit": 5})
    values: list[Any] = ["C", "I", "P", "N", True, 0.25, "yes", float("nan"), [1], 7]
    for sample, value in zip(log["samples"], values, strict=True):
        sample["scores"] = {"match": {"value": value}}
    again = json.loads(json.dumps(log["samples"][1])) | {"epoch": 2, "scores": {"match": {"value": "C"}}}
    log["samples"] += [again, {"id": 3}, {**again, "input": "Another made-up one?", "scores": None}]
    record = import_path(plain(tmp_path / "log.json", log), store)
    assert items(record)["value"].tolist() == [1.0, 0.5, 0.5, 0.0, 1.0, 0.25, 1.0]
    missing = imported(record).missing
    assert any(
        said.startswith("1 sample cannot be read here. Where Inspect is installed, `inspect log") for said in missing
    )
    assert "4 answers without a score between 0 and 1." in missing
    assert any("asked 2 times" in note for note in imported(record).notes)
    assert imported(record).figures["limit"] == 5


def test_an_accuracy_that_is_not_the_samples_is_found(store: RunStore, tmp_path: Path) -> None:
    log = inspect_log(RIGHT)
    log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 0.9
    [check] = imported(import_path(plain(tmp_path / "log.json", log), store)).checks
    assert (check.passed, check.detail) == (False, "0.9000 stated; 0.7000 counted from 10 questions.")


@pytest.mark.parametrize("way", ["json", "eval"])
def test_what_a_log_states_beside_is_named_once(way: str, store: RunStore, tmp_path: Path) -> None:
    log = inspect_log(RIGHT, config={"limit": 5, "fail_on_error": True}, run_id="r", sandbox=None)
    log |= {"stats": {"model_usage": {}}, "error": None}
    log["plan"]["config"]["max_tokens"] = 9
    write, name = WAYS[way]
    said = imported(import_path(write(tmp_path / name, log), store)).notes
    assert said[-1] == (
        "Not kept, of the log: stats, eval.run_id, eval.dataset.samples, eval.config.fail_on_error and "
        "plan.config.max_tokens."
    )


def test_one_that_did_not_end_says_so(store: RunStore, tmp_path: Path) -> None:
    log = inspect_log(RIGHT[:4]) | {"status": "error"}
    log["results"] |= {"total_samples": 10, "completed_samples": 4}
    run = import_path(archive(tmp_path / "log.eval", log), store)
    assert "The evaluation ended as 'error' after 4 of 10." in imported(run).notes
    nothing = inspect_log([]) | {"status": "cancelled", "results": None}
    with pytest.raises(InputError, match=r"log\.json holds no score: the evaluation ended as 'cancelled'"):
        import_path(plain(tmp_path / "log.json", nothing), store)


def test_of_a_folder_of_logs_the_newest_is_read(store: RunStore, tmp_path: Path) -> None:
    for day, right in ((1, [0] * 10), (3, RIGHT), (2, [0] * 10)):
        archive(tmp_path / f"2026-01-0{day}T00-00-00+00-00_mmlu-0-shot_x.eval", inspect_log(right))
    (tmp_path / "logs.json").write_text("{}")
    run = import_path(tmp_path, store)
    assert imported(run).source.startswith("2026-01-03") and imported(run).figures["mmlu_anatomy"] == 0.7


def test_a_model_of_a_folder_is_called_by_its_name_alone(store: RunStore, tmp_path: Path) -> None:
    local = inspect_log(RIGHT, model="hf/local", model_args={"model_path": "/home/somebody/models/mine"})
    run = import_path(plain(tmp_path / "log.json", local), store)
    assert run.record.base_model is not None and run.record.base_model.id == "mine"
    assert not any("somebody" in path.read_text() for path in run.folder.rglob("*.json"))


def refused(path: Path, store: RunStore) -> str:
    with pytest.raises(InputError) as error:
        import_path(path, store)
    said = str(error.value)
    assert "\n" not in said and not list(store.folder.iterdir())
    return said


def test_archives_that_cannot_be_read(store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, log = tmp_path / "log.eval", inspect_log(RIGHT)
    path.write_bytes(b"PK torn")
    assert "log.eval is no log of Inspect, or a part of one" in refused(path, store)
    with ZipFile(path, "w") as out:
        out.writestr("_journal/start.json", "{}")
    assert "holds no header.json, which Inspect writes last: the evaluation did not end" in refused(path, store)
    said = refused(zstandard(path, log, packing=14), store)
    assert "header.json cannot be read here. Where Inspect is installed, `inspect log dump log.eval > log.json`" in said
    content = zstandard(path, log).read_bytes()
    path.write_bytes(content.replace(struct.pack("<I", zlib.crc32(json.dumps(log["samples"][0]).encode())), b"\0" * 4))
    assert any("1 sample cannot be read here" in said for said in imported(import_path(path, store)).missing)
    monkeypatch.setattr(inspect_file, "MEMBER_LIMIT", 10)
    with pytest.raises(InputError, match=r"header\.json cannot be read here"):
        import_path(path, store)
    monkeypatch.setattr(inspect_file, "UNPACKED_LIMIT", 100)
    with pytest.raises(InputError, match=r"log\.eval unpacks to .*; it was not read"):
        import_path(path, store)
    monkeypatch.setattr(inspect_file, "FILE_LIMIT", 100)
    with pytest.raises(InputError, match=r"log\.eval is larger than"):
        import_path(path, store)
    with pytest.raises(InputError, match=r"gone\.eval is not there|cannot be read"):
        import_path(tmp_path / "gone.eval", store)


def test_json_that_is_no_usable_log(store: RunStore, tmp_path: Path) -> None:
    newer = plain(tmp_path / "newer.json", inspect_log(RIGHT) | {"version": 3})
    assert "newer.json is of version 3; logs of Inspect up to version 2 are read." in refused(newer, store)
    odd = inspect_log(RIGHT)
    odd["results"]["scores"] = "none"
    said = refused(plain(tmp_path / "odd.json", odd), store)
    assert "odd.json is no usable log of Inspect: results.scores: Input should be a valid list." in said
