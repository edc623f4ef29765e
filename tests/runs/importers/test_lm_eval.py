"""lm-evaluation-harness's results: copied as they are where they may be, read by subset."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.runs.importers import import_path
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import lm_eval


def _import(store: RunStore, tmp_path: Path, value: Any, name: str = "results.json") -> Run:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return import_path(path, store)


def _missing(run: Run) -> str:
    assert run.record.imported is not None
    return " ".join(run.record.imported.missing)


def test_one_model(store: RunStore, tmp_path: Path) -> None:
    run = _import(store, tmp_path, lm_eval())
    record = run.record
    assert (run.id, record.title) == ("mmlu-someone-small", "MMLU of someone/small")
    assert record.created_at.isoformat() == "2026-03-04T05:06:07+00:00"
    assert record.base_model is not None
    assert record.base_model.id == "someone/small"
    assert record.imported is not None
    assert record.imported.figures == {
        "base_model": "someone/small",
        "seed": 0,
        "mmlu_medical_genetics": 0.26,
        "mmlu_medical_genetics_stderr": 0.0440844,
        "mmlu_medical_genetics_n": 100,
        "n_shot": 5,
    }
    assert [check.passed for check in record.imported.checks] == [True]
    evaluation = run.evaluation()
    assert evaluation is not None
    metric = evaluation.metrics["mmlu"]
    assert (evaluation.primary_metric, metric.base, metric.fine_tuned, metric.n) == ("mmlu", None, 0.26, 100)
    assert metric.verdict == "cannot tell"
    assert "base or the fine-tuned" in _missing(run)
    assert run.mmlu().fine_tuned[0].accuracy == 0.26  # type: ignore[union-attr]
    assert run.snapshot().problems == ()


def test_the_file_is_copied_byte_for_byte(store: RunStore, tmp_path: Path) -> None:
    run = _import(store, tmp_path, lm_eval())
    assert (run.folder / "mmlu_results" / "results.json").read_bytes() == (tmp_path / "results.json").read_bytes()


def test_two_models(store: RunStore, tmp_path: Path) -> None:
    run = _import(store, tmp_path, {"base": lm_eval(0.25), "fine_tuned": lm_eval(0.26)})
    metric = run.evaluation().metrics["mmlu"]  # type: ignore[union-attr]
    assert (metric.base, metric.fine_tuned) == (0.25, 0.26)
    assert metric.difference == pytest.approx(0.01)
    assert metric.verdict == "cannot tell"
    assert "no paired test" in (metric.reason or "")
    assert run.record.imported is not None
    assert run.record.imported.figures["base_mmlu_medical_genetics"] == 0.25


def test_nan_is_normalised(store: RunStore, tmp_path: Path) -> None:
    value = lm_eval()
    value["results"]["mmlu_medical_genetics"]["acc_stderr,none"] = math.nan
    value["results"]["mmlu_anatomy"] = {"acc,none": math.inf}
    run = _import(store, tmp_path, value)
    written = json.loads((run.folder / "mmlu_results" / "results.json").read_text(), parse_constant=pytest.fail)
    assert written["results"]["mmlu_medical_genetics"]["acc_stderr,none"] is None
    assert run.mmlu() is not None
    assert run.snapshot().problems == ()


def test_the_author_s_folders_are_not_kept(store: RunStore, tmp_path: Path) -> None:
    value = lm_eval()
    del value["model_name"]
    value["config"]["model_args"] = "pretrained=/home/someone else/models/tiny,dtype=float32"
    value["configs"] = {"x": {"data_files": {"test": "/home/ann/data/test.csv"}}, "y": "C:\\Users\\ann\\x.csv"}
    run = _import(store, tmp_path, value)
    written = (run.folder / "mmlu_results" / "results.json").read_text()
    assert "ann" not in written
    assert json.loads(written)["configs"] == {"x": {"data_files": {"test": "test.csv"}}, "y": "x.csv"}
    assert run.record.base_model is not None
    assert run.record.base_model.id == "tiny"


def test_half_a_surrogate_pair_is_replaced(store: RunStore, tmp_path: Path) -> None:
    run = _import(store, tmp_path, lm_eval() | {"model_name": "a\ud800b"})
    assert run.record.base_model is not None
    assert run.record.base_model.id == "ab"
    assert run.mmlu() is not None


@pytest.mark.parametrize("name", ["results.json", "results_2026-01-01T00-00-00.json", "model/results_2026-01-01.json"])
def test_a_folder_that_holds_one(store: RunStore, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "out"
    _import(store, folder, lm_eval(), name)
    assert import_path(folder, store).record.imported.source == Path(name).name  # type: ignore[union-attr]


def test_of_several_the_newest_is_taken(store: RunStore, tmp_path: Path) -> None:
    for day, accuracy in (("2026-01-02", 0.3), ("2026-01-10", 0.4), ("2025-12-31", 0.5)):
        (tmp_path / f"results_{day}.json").write_text(json.dumps(lm_eval(accuracy)))
    figures = import_path(tmp_path, store).record.imported.figures  # type: ignore[union-attr]
    assert figures["mmlu_medical_genetics"] == 0.4


def test_without_sizes_nothing_is_pooled(store: RunStore, tmp_path: Path) -> None:
    run = _import(store, tmp_path, lm_eval(n=None))
    assert run.evaluation() is None
    assert "Questions asked in each subset" in _missing(run)
    assert run.record.imported is not None
    [check] = run.record.imported.checks
    assert check.passed is True
    assert "official size" in check.detail


@pytest.mark.parametrize(
    ("accuracy", "n", "stderr", "passed"),
    [(0.26, 100, 0.2, False), (0.263, 100, 0.044, False), (0.263, None, 0.044, None)],
)
def test_figures_that_disagree_fail_their_check(
    store: RunStore, tmp_path: Path, accuracy: float, n: int | None, stderr: float, passed: bool | None
) -> None:
    value = lm_eval(accuracy, n)
    value["results"]["mmlu_medical_genetics"]["acc_stderr,none"] = stderr
    run = _import(store, tmp_path, value)
    assert [check.passed for check in run.record.imported.checks] == [passed]  # type: ignore[union-attr]


def test_shots_that_differ_are_kept_apart(store: RunStore, tmp_path: Path) -> None:
    value = lm_eval()
    value["n-shot"] = {"mmlu_medical_genetics": 5, "mmlu_anatomy": 0, "hellaswag": 10}
    figures = _import(store, tmp_path, value).record.imported.figures  # type: ignore[union-attr]
    assert (figures["n_shot_mmlu_medical_genetics"], figures["n_shot_mmlu_anatomy"]) == (5, 0)
    assert "n_shot" not in figures


@pytest.mark.parametrize(
    "changes",
    [
        {"config": None},
        {"config": {"model_args": {"pretrained": "someone/other"}}},
        {"model_name": 5, "date": "today", "n-shot": [], "lm_eval_version": None},
        {"date": 1e300},
        {"date": -5},
        {"n-samples": []},
    ],
)
def test_odd_fields_are_passed_over(store: RunStore, tmp_path: Path, changes: dict[str, Any]) -> None:
    assert _import(store, tmp_path, lm_eval() | changes).mmlu() is not None


@pytest.mark.parametrize(
    "value", [{}, [], {"results": {"hellaswag": {"alias": "h"}}}, {"fine_tuned": {}}, {"a": [[[]]]}]
)
def test_what_holds_no_figure_is_refused(store: RunStore, tmp_path: Path, value: Any) -> None:
    with pytest.raises(InputError, match="Looked for"):
        _import(store, tmp_path, value)
