"""The readers of one run: complete, torn, foreign or hostile, none of them raises."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.files import read_json
from medqa_core.runs.run import LOG_TAIL, Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import good_run, read_everything, rewrite

FILES = (
    "run.json",
    "status.json",
    "metrics.jsonl",
    "train.log",
    "evaluation.json",
    "predictions.parquet",
    "mmlu_results/results.json",
    "summary.txt",
)


def test_a_good_run_reads_whole(run: Run) -> None:
    assert run.state() == "completed"
    assert run.evaluation().metrics["loss"].verdict == "better"  # type: ignore[union-attr]
    assert len(run.metrics_log().train) == 4
    assert len(run.predictions()) == 3  # type: ignore[arg-type]
    assert run.mmlu().base[0].accuracy == 0.25  # type: ignore[union-attr, index]
    assert run.write_up("summary.txt") == "It helped.\n"
    assert run.log_tail() == "started\nended\n"
    assert run.snapshot().problems == ()


def test_what_is_absent_is_no_problem(run: Run) -> None:
    for name in FILES[1:]:
        (run.folder / name).unlink()
    read_everything(run)
    assert run.state() == "unknown"
    assert run.snapshot().problems == ()


def _reopen(store: RunStore) -> None:
    """List the store and read all that can be read of its one run."""
    [entry] = store.list()
    assert "\n" not in (entry.problem or "")
    try:
        run = store.open("good")
    except MedQAError as error:
        assert "\n" not in str(error)
        return
    read_everything(run)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_raises_nothing(store: RunStore, run: Run, name: str) -> None:
    path = run.folder / name
    whole = path.read_bytes()
    for cut in {*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1, len(whole) - 2}:
        path.write_bytes(whole[:cut])
        _reopen(store)


@pytest.mark.parametrize("name", FILES)
def test_random_bytes_raise_nothing(store: RunStore, run: Run, name: str) -> None:
    path = run.folder / name
    whole = path.read_bytes()

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=100), st.integers(0, len(whole)))
    def check(noise: bytes, where: int) -> None:
        for content in (noise, whole[:where] + noise + whole[where + len(noise) :]):
            path.write_bytes(content)
            _reopen(store)

    check()


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_file_is_not_opened(store: RunStore, run: Run, name: str) -> None:
    path = run.folder / name
    path.unlink()
    os.mkfifo(path)
    _reopen(store)
    path.unlink()
    path.mkdir()
    _reopen(store)


def test_a_problem_is_noted_once(run: Run) -> None:
    (run.folder / "evaluation.json").write_text("{")
    assert run.evaluation() is None
    assert run.evaluation() is None
    assert len(run.snapshot().problems) == 1
    assert run.snapshot().problems[0].startswith("evaluation.json is not valid JSON")


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"loss": {"p": 1.5}}},
        {"metrics": {"loss": {"base": float("nan")}}},
        {"metrics": [1]},
        {"primary_metric": "bleu"},
        {"schema_version": 9},
    ],
)
def test_an_evaluation_that_breaks_the_contract_is_not_shown(run: Run, changes: dict[str, object]) -> None:
    rewrite(run.folder / "evaluation.json", **changes)
    assert run.evaluation() is None
    assert len(run.snapshot().problems) == 1


def test_a_metric_of_a_newer_version_is_passed_over(run: Run) -> None:
    known = read_json(run.folder / "evaluation.json")["metrics"]
    rewrite(run.folder / "evaluation.json", metrics={**known, "bleu": {"base": "?"}})
    evaluation = run.evaluation()
    assert evaluation is not None
    assert set(evaluation.metrics) == set(known)
    assert run.snapshot().problems == ()


def test_of_a_long_log_the_end_is_shown(run: Run) -> None:
    (run.folder / "train.log").write_bytes(b"\xff" + b"x" * (2 * LOG_TAIL) + b"end")
    tail = run.log_tail()
    assert len(tail) == LOG_TAIL
    assert tail.endswith("end")


@pytest.mark.parametrize("name", ["run.json", "../good/summary.txt", "", "train.log"])
def test_only_write_ups_are_handed_out(run: Run, name: str) -> None:
    with pytest.raises(InputError, match="is not a write-up"):
        run.write_up(name)


def test_an_adapter_counts_when_its_weights_are_there(run: Run) -> None:
    (run.folder / "adapter").mkdir()
    assert run.adapter_folder() is None
    (run.folder / "adapter" / "adapter_model.safetensors").write_bytes(b"x")
    assert run.adapter_folder() == run.folder / "adapter"


def test_a_copied_run_opens_under_its_new_name(store: RunStore, run: Run) -> None:
    shutil.copytree(run.folder, store.folder / "copy")
    assert store.open("copy").id == "copy"
    assert {entry.id for entry in store.list()} == {"copy", "good"}


def test_a_run_survives_the_loss_of_its_folder(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    run = good_run(store)
    shutil.rmtree(run.folder)
    read_everything(run)
    assert run.snapshot().problems == ()
