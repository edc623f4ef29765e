"""A Trainer output folder: its curve and figures from JSON alone, whatever is torn or missing."""

import builtins
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.runs.importers import import_path
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import trainer_folder, trainer_state


def test_a_whole_folder(store: RunStore, tmp_path: Path) -> None:
    run = import_path(trainer_folder(tmp_path / "My Output"), store)
    record = run.record
    assert run.id == "my-output"
    assert record.title == "tiny-gpt (My Output)"
    assert record.base_model is not None
    assert record.base_model.id == "tiny-gpt"
    assert record.environment.transformers == "4.41.0"
    imported = record.imported
    assert imported is not None
    assert imported.format == "trainer"
    expected = {
        "steps": 10,
        "planned_steps": 10,
        "epochs": 2,
        "epochs_done": 2.0,
        "batch_size": 4,
        "train_size": 40,
        "mean_train_loss": 3.4,
        "last_train_loss": 3.0,
        "train_seconds": 8.0,
        "samples_per_second": 10.0,
        "validation_loss": 3.1,
        "test_loss": 3.0,
        "test_size": 6,
    }
    assert expected.items() <= imported.figures.items()
    assert {check.passed for check in imported.checks} <= {True, None}
    assert sum(check.passed is True for check in imported.checks) == 4
    metrics_log = run.metrics_log()
    np.testing.assert_array_equal(metrics_log.train["step"], [2, 4, 6, 8, 10])
    np.testing.assert_allclose(metrics_log.train["loss"], [3.8, 3.6, 3.4, 3.2, 3.0])
    np.testing.assert_array_equal(metrics_log.validation["loss"], [3.1])
    evaluation = run.evaluation()
    assert evaluation is not None
    assert set(evaluation.metrics) == {"loss"}  # the perplexity is the validation set's
    assert (evaluation.metrics["loss"].fine_tuned, evaluation.metrics["loss"].n) == (3.0, 6)
    assert run.state() == "imported"
    assert run.snapshot().problems == ()


def test_no_folder_of_the_author_s_machine_is_kept(store: RunStore, tmp_path: Path) -> None:
    run = import_path(trainer_folder(tmp_path / "out"), store)
    for path in run.folder.rglob("*.json*"):
        assert "someone" not in path.read_text()
        assert str(tmp_path) not in path.read_text()


def test_pickles_are_never_opened(store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trainer_folder(tmp_path / "out")
    opened: list[str] = []
    real = builtins.open

    def watching(file: object, *rest: object, **more: object) -> object:
        opened.append(str(file))
        return real(file, *rest, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(builtins, "open", watching)
    import_path(folder, store)
    monkeypatch.undo()
    read = {Path(name).name for name in opened if name.startswith(str(folder))}
    assert read == {"trainer_state.json", "all_results.json", "config.json"}


def test_nan_is_recorded_as_what_it_is(store: RunStore, tmp_path: Path) -> None:
    state = trainer_state()
    state["log_history"][1] |= {"loss": math.nan, "grad_norm": math.inf}
    state["log_history"][2]["loss"] = 10**400
    path = trainer_folder(tmp_path / "out") / "trainer_state.json"
    path.write_text(json.dumps(state))
    assert "NaN" in path.read_text()
    run = import_path(path.parent, store)
    text = (run.folder / "metrics.jsonl").read_text()
    rows = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert rows[1]["loss"] is None
    assert rows[1]["non_finite"] == ["grad_norm", "loss"]
    assert run.metrics_log().train.non_finite_steps == (4, 6)


def test_odd_rows_are_counted(store: RunStore, tmp_path: Path) -> None:
    state = trainer_state()
    state["log_history"] += [{"loss": 1.0}, {"loss": 1.0, "step": "x"}, {"loss": 1.0, "step": True}, "row", None, {}]
    run = import_path(trainer_folder(tmp_path / "out", log_history=state["log_history"]), store)
    assert run.record.imported is not None
    assert "3 rows of the log history without a usable step." in run.record.imported.missing
    assert len(run.metrics_log().train) == 5


def test_a_named_validation_set_counts(store: RunStore, tmp_path: Path) -> None:
    history = [{"loss": 2.0, "step": 1}, {"eval_heart_loss": 1.75, "step": 1}]
    run = import_path(trainer_folder(tmp_path / "out", log_history=history), store)
    np.testing.assert_array_equal(run.metrics_log().validation["loss"], [1.75])


def test_the_newest_checkpoint_that_can_be_read_stands_in(store: RunStore, tmp_path: Path) -> None:
    folder = trainer_folder(tmp_path / "out")
    (folder / "trainer_state.json").unlink()
    for step in (2, 10, 100):
        (folder / f"checkpoint-{step}").mkdir()
        state = json.dumps(trainer_state(step))
        (folder / f"checkpoint-{step}" / "trainer_state.json").write_text(state[:50] if step == 100 else state)
    run = import_path(folder, store)
    assert run.record.imported is not None
    assert run.record.imported.source == "out: checkpoint-10/trainer_state.json"
    assert run.record.imported.figures["steps"] == 10
    assert any(
        entry.startswith("checkpoint-100/trainer_state.json is not valid JSON") for entry in run.record.imported.missing
    )


def test_a_torn_state_beside_a_whole_checkpoint(store: RunStore, tmp_path: Path) -> None:
    folder = trainer_folder(tmp_path / "out")
    (folder / "trainer_state.json").write_text("{")
    (folder / "checkpoint-10").mkdir()
    (folder / "checkpoint-10" / "trainer_state.json").write_text(json.dumps(trainer_state()))
    run = import_path(folder, store)
    assert len(run.metrics_log().train) == 5


def test_a_checkpoint_and_a_state_file_on_their_own(store: RunStore, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-10"
    folder.mkdir()
    (folder / "trainer_state.json").write_text(json.dumps(trainer_state()))
    assert import_path(folder, store).id == "checkpoint-10"
    assert import_path(folder / "trainer_state.json", store).id == "trainer-state"


def test_results_without_a_history(store: RunStore, tmp_path: Path) -> None:
    folder = trainer_folder(tmp_path / "out")
    (folder / "trainer_state.json").unlink()
    run = import_path(folder, store)
    assert run.record.imported is not None
    assert "Loss curve: the output holds no log history." in run.record.imported.missing
    assert run.record.imported.figures["test_loss"] == 3.0
    assert run.metrics_log().empty


def test_an_adapter_s_base_model_comes_first(store: RunStore, tmp_path: Path) -> None:
    folder = trainer_folder(tmp_path / "out")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/base"}')
    record = import_path(folder, store).record
    assert record.base_model is not None
    assert record.base_model.id == "someone/base"


@pytest.mark.parametrize("config", ["", "{", "[]", '{"_name_or_path": 5}', '{"_name_or_path": ""}'])
def test_a_config_that_names_nothing(store: RunStore, tmp_path: Path, config: str) -> None:
    folder = trainer_folder(tmp_path / "out")
    (folder / "config.json").write_text(config)
    record = import_path(folder, store).record
    assert record.base_model is None
    assert record.title == "Trainer output (out)"


def test_links_into_a_hub_cache_are_followed(store: RunStore, tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / "abc"
    blob.parent.mkdir()
    blob.write_text(json.dumps(trainer_state()))
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "trainer_state.json").symlink_to(blob)
    assert len(import_path(folder, store).metrics_log().train) == 5


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"log_history": 5}', b"\xff\xfe", b"[" * 100_000])
def test_a_folder_whose_only_file_is_unusable(store: RunStore, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "trainer_state.json").write_bytes(content)
    with pytest.raises(InputError, match=r"out: .*trainer_state\.json"):
        import_path(tmp_path / "out", store)
    assert store.list() == []


def test_what_is_no_file_is_not_opened(store: RunStore, tmp_path: Path) -> None:
    folder = trainer_folder(tmp_path / "out")
    for name in ("trainer_state.json", "config.json"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    assert import_path(folder, store).metrics_log().empty


def test_figures_that_disagree_fail_their_checks(store: RunStore, tmp_path: Path) -> None:
    folder = trainer_folder(tmp_path / "out", global_step=500)
    results = json.loads((folder / "all_results.json").read_text()) | {"perplexity": 20.0, "train_samples": 80}
    (folder / "all_results.json").write_text(json.dumps(results))
    imported = import_path(folder, store).record.imported
    assert imported is not None
    assert [check.passed for check in imported.checks[:4]] == [False, False, False, False]
