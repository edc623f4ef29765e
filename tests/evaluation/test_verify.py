"""Tampering is found and named; what cannot be checked says why; an honest run passes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medqa_core.evaluation.evaluate import judge_again
from medqa_core.evaluation.verify import NAMES, verify
from medqa_core.evaluation.verify_files import manifest_outcome
from medqa_core.foundation.files import read_json, sha256, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.runs.artifacts.manifest import write_manifest
from medqa_core.runs.artifacts.mmlu import ANSWER_SCHEMA, SUBSETS, write_answers
from medqa_core.runs.artifacts.predictions import read_predictions, write_predictions
from medqa_core.runs.artifacts.training_record import write_training_record
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import Check, ImportRecord, RunRecord
from medqa_core.runs.schema.status import now
from medqa_core.runs.store.labelling import LabelChange, change_labels
from medqa_core.runs.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("no_network")
WEIGHTS = "adapter/adapter_model.safetensors"


@pytest.fixture(scope="module")
def judged(smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the smoke run with made-up MMLU answers, judged, and with its manifest."""
    folder = tmp_path_factory.mktemp("judged") / "smoke"
    shutil.copytree(smoke.folder, folder)
    rows = pd.DataFrame(dict.fromkeys(ANSWER_SCHEMA.names, 0), index=range(60))
    rows["subset"] = [SUBSETS[n % 2] for n in range(60)]
    rows["question"] = range(60)
    rows["target"] = [n % 4 for n in range(60)]
    rows["fine_tuned_choice"] = 1
    rows["fine_tuned_logprob_b"] = 1.0
    write_answers(folder, rows)
    results = {f"mmlu_{subset}": {"acc,none": 0.5} for subset in SUBSETS[:2]}
    one = {"results": results, "n-samples": {name: {"effective": 30} for name in results}}
    base = {**one, "results": {"mmlu_anatomy": {"acc,none": 0.5}, "mmlu_clinical_knowledge": {"acc,none": 0.0}}}
    tuned = {**one, "results": {"mmlu_anatomy": {"acc,none": 0.0}, "mmlu_clinical_knowledge": {"acc,none": 0.5}}}
    write_json(folder / "mmlu_results" / "results.json", {"base": base, "fine_tuned": tuned})
    copy = RunStore(folder.parent).open("smoke")
    judge_again(copy)
    writer.write(copy)
    return folder


@pytest.fixture
def run(judged: Path, tmp_path: Path) -> Run:
    """A copy of that run to be changed."""
    shutil.copytree(judged, tmp_path / "reports" / "smoke")
    return RunStore(tmp_path / "reports").open("smoke")


def checked(run: Run, settings: Settings) -> dict[str, Check]:
    """A fresh look at the folder."""
    checks = verify(RunStore(run.folder.parent).open(run.id), settings, write_ups=writer.rendered)
    return {check.name: check for check in checks}


def failed(run: Run, settings: Settings) -> set[str]:
    """The names of the checks that fail, once whoever tampered has written the manifest anew."""
    write_manifest(run.folder)
    return {name for name, check in checked(run, settings).items() if check.passed is False}


def edited(path: Path, change: Callable[[Any], object]) -> None:
    value = read_json(path)
    change(value)
    write_json(path, value)


def test_an_honest_run_passes(run: Run, lab: Settings) -> None:
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    heard: list[str] = []
    checks = verify(run, lab, heard.append, writer.rendered)
    assert [check.name for check in checks] == list(NAMES) == heard
    assert {check.name: check.detail for check in checks if not check.passed} == {}
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def change_figure(folder: Path) -> None:
    value = read_json(folder / "evaluation.json")
    value["metrics"]["loss"]["fine_tuned"] -= 1e-6
    write_json(folder / "evaluation.json", value)


def change_part(folder: Path) -> None:
    value = read_json(folder / "evaluation.json")
    value["clean"]["rougeL"]["base"] = 0.9
    write_json(folder / "evaluation.json", value)


def drop_metric(folder: Path) -> None:
    value = read_json(folder / "evaluation.json")
    del value["metrics"]["rougeL"]
    write_json(folder / "evaluation.json", value)


def change_answer(folder: Path) -> None:
    rows = read_predictions(folder)
    rows.loc[3, "fine_tuned_answer"] = "The heart pumps blood through the body and is a muscle."
    write_predictions(folder, rows)


def change_byte(folder: Path) -> None:
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS).write_bytes(content)


def change_accuracy(folder: Path) -> None:
    path = folder / "mmlu_results" / "results.json"
    value = read_json(path)
    value["fine_tuned"]["results"]["mmlu_anatomy"]["acc,none"] = 0.25
    write_json(path, value)


def change_control(folder: Path) -> None:
    rows = read_predictions(folder)
    rows.loc[2, "template_answer_rougeL"] = 0.001
    write_predictions(folder, rows)


def change_content(folder: Path) -> None:
    rows = read_predictions(folder)
    rows["base_content_f1"] = rows["base_content_f1"] + 0.25
    write_predictions(folder, rows)


def change_nats(folder: Path) -> None:
    rows = read_predictions(folder)
    rows["base_nats"] = [nats // 2 for nats in rows["base_nats"]]
    write_predictions(folder, rows)


def change_other_loss(folder: Path) -> None:
    rows = read_predictions(folder)
    rows["fine_tuned_other_loss"] = rows["fine_tuned_other_loss"] + 1
    write_predictions(folder, rows)


def change_controls_verdict(folder: Path) -> None:
    value = read_json(folder / "evaluation.json")
    value["controls"]["template_answer"]["fine_tuned"]["rougeL"]["difference"] = 0.5
    write_json(folder / "evaluation.json", value)


def change_templates(folder: Path) -> None:
    value = read_json(folder / "evaluation.json")
    value["references"]["template_share"] = 0.9
    write_json(folder / "evaluation.json", value)


@pytest.mark.parametrize(
    ("tamper", "file", "check", "said"),
    [
        (change_control, "predictions.parquet", "content and controls", "template_answer_rougeL of "),
        (change_content, "predictions.parquet", "content and controls", "base_content_f1 of "),
        (change_nats, "predictions.parquet", "content and controls", "base_loss of "),
        (change_other_loss, "predictions.parquet", "content and controls", "fine_tuned_topic_information of "),
        (change_controls_verdict, "evaluation.json", "evaluation.json", "controls.template_answer.fine_tuned.rougeL"),
        (change_templates, "evaluation.json", "evaluation.json", "references.template_share: stated 0.9, recomputed 0"),
        (change_figure, "evaluation.json", "evaluation.json", "metrics.loss.fine_tuned: stated "),
        (change_part, "evaluation.json", "evaluation.json", "clean.rougeL.base: stated 0.9, recomputed 0"),
        (drop_metric, "evaluation.json", "evaluation.json", "metrics.rougeL.base: stated nothing, recomputed 0"),
        (change_answer, "predictions.parquet", "answer scores", "fine_tuned answer to "),
        (change_byte, WEIGHTS, "weights", f"{WEIGHTS} has "),
        (
            change_accuracy,
            "mmlu_results/results.json",
            "MMLU accuracies",
            "fine_tuned anatomy: stated 0.25, recomputed 0",
        ),
    ],
)
def test_tampering_is_found_and_named(
    run: Run, lab: Settings, tamper: Callable[[Path], None], file: str, check: str, said: str
) -> None:
    tamper(run.folder)
    assert manifest_outcome(run) == (False, f"{file} was changed after the manifest was written.")
    write_manifest(run.folder)  # whoever tampers may do that too
    checks = checked(run, lab)
    assert checks["manifest"].passed is True
    assert checks[check].passed is False
    assert checks[check].detail.startswith(said)


def record_again(run: Run) -> None:
    """What a thorough forger does: the record of the training once more, over what he put there."""
    stated = run.snapshot().training_record
    assert stated is not None
    write_training_record(
        run.folder, by="training", code_version=stated.code_version, best=stated.best, changed=stated.changed
    )


def change_alpha(folder: Path) -> None:
    edited(folder / "adapter" / "adapter_config.json", lambda value: value.update(lora_alpha=800))


def change_rate(folder: Path) -> None:
    edited(folder / "run.json", lambda value: value["config"].update(learning_rate=0.5))


def change_counts(folder: Path) -> None:
    edited(folder / "run.json", lambda value: value["data"]["split"].update(test=value["data"]["split"]["test"] + 1))


def change_last_row(folder: Path) -> None:
    *before, last = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    row = json.loads(last)
    row["loss"] -= 0.5
    (folder / "metrics.jsonl").write_text("\n".join([*before, json.dumps(row)]) + "\n", "utf-8")


def change_best(folder: Path) -> None:
    edited(folder / "status.json", lambda value: value["best"].update(validation_loss=0.1))


def other_weights(folder: Path) -> None:
    """The adapter of another training, of the same shape."""
    from safetensors.torch import load_file, save_file

    path = folder / WEIGHTS
    save_file({name: tensor.flip(0) * 3 for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})


def change_summary(folder: Path) -> None:
    path = folder / "summary.txt"
    path.write_text(path.read_text("utf-8").replace("better", "far better", 1) + "It is right.\n", "utf-8")


@pytest.mark.parametrize(
    ("tamper", "by_record", "by_content"),
    [
        (change_alpha, {"training record"}, {"settings", "weights", "validation loss", "test losses"}),
        (change_rate, {"training record"}, {"settings"}),
        (change_counts, {"training record"}, {"split"}),
        (change_last_row, {"training record"}, {"settings"}),
        (change_best, set(), {"settings"}),
        (other_weights, {"training record"}, {"weights", "validation loss", "test losses"}),
        (change_summary, {"write-ups"}, set()),
    ],
)
def test_a_new_manifest_hides_nothing(
    run: Run, lab: Settings, tamper: Callable[[Path], None], by_record: set[str], by_content: set[str]
) -> None:
    """Nor does a new record hide what follows from other files."""
    tamper(run.folder)
    assert failed(run, lab) >= by_record | by_content
    record_again(run)
    writer.write(run)
    again = failed(run, lab)
    assert again >= by_content and "training record" not in again


def test_a_scale_that_was_changed_everywhere_shows_in_the_losses(run: Run, lab: Settings) -> None:
    change_alpha(run.folder)
    edited(run.folder / "run.json", lambda value: value["config"].update(lora_alpha=800))
    total = sha256(run.folder / "adapter" / "adapter_config.json")
    edited(run.folder / "evaluation.json", lambda value: value["protocol"].update(fine_tuned_config_sha256=total))
    record_again(run)
    writer.write(run)
    assert failed(run, lab) == {"validation loss", "test losses"}
    assert checked(run, lab)["validation loss"].detail.startswith("the training recorded ")


def test_a_run_of_before_the_record_says_what_rests_on_what(run: Run, lab: Settings) -> None:
    (run.folder / "training.json").unlink()
    write_manifest(run.folder)
    checks = checked(run, lab)
    assert checks["training record"].passed is None
    assert "versions before 0.3 left no record" in checks["training record"].detail
    assert {name for name, check in checks.items() if not check.passed} == {"training record"}
    write_training_record(run.folder, by="afterwards", code_version="0.3.0", best=None, changed=None)
    assert failed(run, lab) == set()
    assert "which was made after the training" in checked(run, lab)["training record"].detail
    other_weights(run.folder)
    assert "training record" in failed(run, lab)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema_version": 9}', '{"weights": {"a": "b"}}'])
def test_a_damaged_record_fails(run: Run, lab: Settings, content: str) -> None:
    (run.folder / "training.json").write_text(content)
    assert failed(run, lab) - {"write-ups"} == {"training record"}


def test_files_that_were_added_or_removed_are_named(run: Run, lab: Settings) -> None:
    (run.folder / "adapter" / "more.safetensors").write_bytes(b"x")
    (run.folder / "metrics.jsonl").unlink()
    said = checked(run, lab)["training record"]
    assert said.passed is False
    assert "adapter/more.safetensors was not there when the record was made." in said.detail
    assert "metrics.jsonl was changed." in said.detail and "The last row of metrics.jsonl" in said.detail
    (run.folder / "adapter" / "adapter_config.json").unlink()
    assert "adapter/adapter_config.json is missing." in checked(run, lab)["training record"].detail


def test_a_renamed_run_still_verifies(run: Run, lab: Settings) -> None:
    writer.write(run)
    before = {name: check.passed for name, check in checked(run, lab).items()}
    change_labels(RunStore(run.folder.parent), run.id, LabelChange(title="Another title", add_tags=("kept",)))
    after = {name: check.passed for name, check in checked(run, lab).items()}
    assert before["write-ups"] is True and before["manifest"] is True
    assert after == before | {"write-ups": None}
    writer.write(RunStore(run.folder.parent).open(run.id))
    assert checked(run, lab)["write-ups"].passed is True


def test_write_ups_of_another_version_or_with_newer_votes_are_not_called_changed(run: Run, lab: Settings) -> None:
    change_summary(run.folder)
    write_manifest(run.folder)
    assert checked(run, lab)["write-ups"].passed is False
    edited(run.folder / "manifest.json", lambda value: value.update(written_by="0.1.0"))
    assert checked(run, lab)["write-ups"].detail.startswith("summary.txt was written by version 0.1.0")
    for name in writer.FORMATS:
        (run.folder / name).unlink()
    assert checked(run, lab)["write-ups"].passed is None


def test_quantised_or_unknown_trainings_say_what_is_not_computed(run: Run, lab: Settings) -> None:
    edited(run.folder / "run.json", lambda value: value["config"].update(quantization="8bit"))
    assert "base in 8bit weights" in checked(run, lab)["validation loss"].detail
    (run.folder / "status.json").unlink()
    (run.folder / "training.json").unlink()
    assert checked(run, lab)["training record"].detail.endswith("the training has not come to its end.")
    edited(run.folder / "run.json", lambda value: value.update(config=None))
    checks = checked(run, lab)
    assert {checks[name].passed for name in ("settings", "validation loss", "test losses")} == {None}


@pytest.mark.parametrize("file", ["predictions.parquet", WEIGHTS, "evaluation.json", "mmlu_results/answers.parquet"])
def test_a_deleted_file_is_named(run: Run, lab: Settings, file: str) -> None:
    (run.folder / file).unlink()
    checks = checked(run, lab)
    assert checks["manifest"].detail == f"{file} is missing."
    assert any(check.passed is None for check in checks.values())
    wrong = {name for name, check in checks.items() if check.passed is False}
    assert wrong - {"write-ups", "training record"} == {"manifest"}


@pytest.mark.parametrize("file", ["predictions.parquet", WEIGHTS, "evaluation.json", "mmlu_results/results.json"])
def test_a_damaged_file_fails_and_crashes_nothing(run: Run, lab: Settings, file: str) -> None:
    (run.folder / file).write_bytes(b"{\x00")
    checks = checked(run, lab)
    assert len([name for name, check in checks.items() if check.passed is False]) >= 2


def test_an_adapter_that_changes_nothing_is_no_fine_tuned_model(run: Run, lab: Settings) -> None:
    from safetensors.torch import load_file, save_file

    path = run.folder / WEIGHTS
    save_file({name: tensor * 0 for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    assert "its weights change nothing" in checked(run, lab)["base answers"].detail


def test_another_split_or_base_fails(run: Run, lab: Settings) -> None:
    record = read_json(run.folder / "run.json")
    record["data"]["split_hash"] = record["base_model"]["sha256"] = "ab" * 32
    write_json(run.folder / "run.json", record)
    checks = checked(run, lab)
    assert checks["split"].detail.startswith("recorded abababababab…, but the data available give ")
    assert checks["base weights"].detail.startswith("run.json has abababababab…, evaluation.json has ")
    assert "was trained on a base with SHA-256 abababababab…" in checks["base answers"].detail
    assert not any(checks[name].passed for name in ("split", "base weights", "base answers"))


def test_another_overlap_fails(run: Run, lab: Settings) -> None:
    evaluation = read_json(run.folder / "evaluation.json")
    assert evaluation["overlap"]["synonym"] == 0
    evaluation["overlap"]["synonym"] = 3
    write_json(run.folder / "evaluation.json", evaluation)
    found = checked(run, lab)["split"]
    assert found.passed is False
    assert "synonym=3" in found.detail


def test_data_and_model_out_of_reach_are_said(run: Run, lab: Settings) -> None:
    record = read_json(run.folder / "run.json")
    record["config"]["dataset"] = "not-there.csv"
    record["base_model"]["id"] = "./not-there"
    write_json(run.folder / "run.json", record)
    checks = checked(run, lab)
    assert checks["answer scores"].passed is checks["split"].passed is None
    assert "'not-there.csv' does not exist" in checks["split"].detail
    assert checks["base answers"].passed is not True


def test_a_run_without_an_evaluation_or_manifest_says_so(run: Run, lab: Settings) -> None:
    for name in ("evaluation.json", "predictions.parquet"):
        (run.folder / name).unlink()
    shutil.rmtree(run.folder / "mmlu_results")
    writer.write(run)
    (run.folder / "manifest.json").unlink()
    checks = checked(run, lab)
    assert "has not been evaluated" in checks["evaluation.json"].detail
    assert "manifest.json is missing" in checks["manifest"].detail
    passed = {name for name, check in checks.items() if check.passed is not None}
    assert passed == {"split", "base weights", "base answers", "training record", "settings", "write-ups"} | {
        "validation loss"
    }


def test_an_imported_run_reports_its_own_checks(tmp_path: Path, lab: Settings) -> None:
    own = [Check(name="perplexity", passed=True, detail="exp(2) = 7.39")]
    record = RunRecord(
        id="theirs", title="Theirs", kind="imported", created_at=now(),
        imported=ImportRecord(format="summary", source="summary.txt", checks=own),
    )  # fmt: skip
    checks = {check.name: check for check in verify(RunStore(tmp_path).create(record), lab)}
    assert checks.pop("source: perplexity").passed is True
    assert list(checks) == list(NAMES)
    assert {check.passed for check in checks.values()} == {None}
    assert all(check.detail.startswith("imported: ") for name, check in checks.items() if name != "manifest")


def test_the_first_runs_began_their_warm_up_at_zero(run: Run, lab: Settings) -> None:
    config = run.record.config
    assert config is not None
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        if "learning_rate" in row and row["step"] <= config.warmup_steps:
            row["learning_rate"] = config.learning_rate * (row["step"] - 1) / config.warmup_steps
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert checked(run, lab)["settings"].detail.startswith("metrics.jsonl, step 1: the learning rate is 0, but ")
    edited(run.folder / "run.json", lambda value: value.update(code_version="0.1.0"))
    assert checked(run, lab)["settings"].passed is True
    change_rate(run.folder)
    assert checked(run, lab)["settings"].passed is False
