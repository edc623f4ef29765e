"""Every verb does on the command line what it says, for people and as JSON."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import medqa_core
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.readers import WRITE_UPS
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation
from medqa_core.runs.schema.presets import PRESETS, from_preset
from medqa_core.runs.schema.status import Status
from medqa_core.runs.store.run_store import RunStore
from tests.support.commands import Said

Cli = Callable[..., Said]


@pytest.fixture
def own_store(smoke: Run, in_lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A store of the test's own with a copy of the smoke run."""
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke")
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    return RunStore(tmp_path / "reports")


def test_version(cli: Cli) -> None:
    said = cli("--version")
    assert (said.code, said.out) == (0, f"medqa {medqa_core.__version__}\n")


def test_runs(cli: Cli, own_store: RunStore) -> None:
    (own_store.folder / "broken").mkdir()
    listed = cli("runs", "--json")
    assert listed.code == 0
    smoke, broken = listed.json
    assert (smoke["id"], smoke["state"], smoke["title"], smoke["problem"]) == (
        "smoke", "completed", "Smoke test", None,
    )  # fmt: skip
    assert (broken["id"], broken["state"]) == ("broken", "unreadable")
    assert "run.json is missing" in broken["problem"]
    shown = cli("runs").out
    assert re.search(r"smoke +completed +\d{4}-\d\d-\d\d \d\d:\d\d +Smoke test", shown)
    assert re.search(r"broken +unreadable", shown)


def test_runs_of_an_empty_store(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "none"))
    assert cli("runs", "--json").json == []
    assert "Start one with: medqa train" in cli("runs").out


def test_runs_with_a_title_that_looks_like_markup(cli: Cli, own_store: RunStore) -> None:
    path = own_store.folder / "smoke" / "run.json"
    path.write_text(json.dumps(read_json(path) | {"title": "[red]A[/red] [/] \\[b]"}))
    assert "[red]A[/red] [/] \\[b]" in cli("runs").out


def test_doctor(cli: Cli) -> None:
    findings = {finding["name"]: finding for finding in cli("doctor", "--json").json}
    assert {"python", "torch", "streamlit", "device", "data starter", "data medquad", "run store"} <= set(findings)
    assert findings["model toy"]["ok"]
    assert "OMP_WAIT_POLICY=" in findings["waiting threads"]["detail"]
    assert all(finding["ok"] or finding["remedy"] for finding in findings.values() if finding["name"] != "run store")
    shown = cli("doctor")
    assert shown.code == 0
    assert re.search(r"^ok +torch ", shown.out, re.MULTILINE)


def test_doctor_counts_the_runs_of_the_store(cli: Cli, own_store: RunStore) -> None:
    def store() -> str:
        return next(str(one["detail"]) for one in cli("doctor", "--json").json if one["name"] == "run store")

    assert store().endswith(": 1 run")
    (own_store.folder / "broken").mkdir()
    assert store().endswith(": 2 runs, unreadable: broken")


@pytest.mark.parametrize("preset", PRESETS)
def test_train_show_prints_the_whole_configuration(cli: Cli, preset: str) -> None:
    shown = cli("train", "--preset", preset, "--set", "seed=7", "--set", "train_size=none", "--show").json
    assert shown == from_preset(preset, {"seed": 7, "train_size": None}).model_dump(mode="json")


def test_train_evaluate_and_everything_after(cli: Cli, own_store: RunStore) -> None:
    said = cli("train", "--preset", "smoke", "--set", "epochs=1", "--run-id", "mine", "--evaluate", "--json")
    assert said.code == 0
    assert said.json["run"] == "mine"
    assert Status.model_validate(said.json["status"]).state == "completed"
    assert said.err == ""  # no terminal, nobody watches
    run = own_store.open("mine")
    assert run.record.config == from_preset("smoke", {"epochs": 1})
    assert run.evaluation() is not None
    assert {path.name for path in run.folder.iterdir()} >= {
        "run.json", "status.json", "metrics.jsonl", "train.log", "adapter", "evaluation.json", "predictions.parquet",
        *WRITE_UPS,
    }  # fmt: skip
    assert run.snapshot().problems == ()


def test_train_for_people(cli: Cli, own_store: RunStore) -> None:
    said = cli("train", "--preset", "smoke", "--set", "epochs=0.5")
    assert said.code == 0
    assert re.fullmatch(
        r"smoke-2: completed after 3 of 3 steps; lowest validation loss \d\.\d{4} at step \d\.\n"
        r"Next: medqa evaluate smoke-2\n",
        said.out,
    )


def test_train_and_evaluate_ends_with_the_verdict(cli: Cli, own_store: RunStore) -> None:
    said = cli("train", "--preset", "smoke", "--set", "epochs=0.5", "--run-id", "mine", "--evaluate")
    assert said.code == 0
    first, second = said.out.splitlines()
    assert first.startswith("mine: completed after 3 of 3 steps") and second == sentence(own_store.open("mine"))


def test_evaluate(cli: Cli, own_store: RunStore, smoke: Run) -> None:
    folder = own_store.folder / "smoke"
    for name in ("evaluation.json", "predictions.parquet"):
        (folder / name).unlink()
    said = cli("evaluate", "smoke", "--json")
    assert said.code == 0
    first = smoke.evaluation()
    assert first is not None
    assert Evaluation.model_validate(said.json).metrics == first.metrics
    assert Evaluation.model_validate(read_json(folder / "evaluation.json")).metrics == first.metrics
    assert all((folder / name).is_file() for name in WRITE_UPS)


def test_report_is_the_same_each_time(cli: Cli, own_store: RunStore) -> None:
    assert cli("report", "smoke", "--json").json == {"run": "smoke", "written": list(WRITE_UPS)}
    folder = own_store.folder / "smoke"
    first = {name: (folder / name).read_bytes() for name in WRITE_UPS}
    said = cli("report", "smoke")
    assert said.out.split() == [str(folder / name) for name in WRITE_UPS]
    assert {name: (folder / name).read_bytes() for name in WRITE_UPS} == first


@pytest.mark.usefixtures("smoke")
def test_ask(cli: Cli) -> None:
    asked = ("ask", "smoke", "  What is gout? ", "--temperature", "0.8", "--max-tokens", "6", "--seed", "3", "--json")
    said = cli(*asked)
    assert said.code == 0
    assert said.json["question"] == "What is gout?"
    assert "not medical advice" in said.json["notice"]
    answers = said.json["answers"]
    assert list(answers) == ["base", "fine_tuned"]
    for variant, answer in answers.items():
        made_by = answer["provenance"]
        assert (made_by["variant"], made_by["model"], made_by["seed"]) == (variant, "toy", 3)
        assert (made_by["temperature"], made_by["max_new_tokens"]) == (0.8, 6)
        assert 0 <= answer["tokens"] <= 6
        assert (made_by["adapter_sha256"] is None) == (variant == "base")
    again = cli(*asked).json["answers"]
    assert {variant: again[variant]["text"] for variant in again} == {
        variant: answers[variant]["text"] for variant in answers
    }


@pytest.mark.usefixtures("smoke")
def test_ask_for_people(cli: Cli) -> None:
    shown = cli("ask", "smoke", "What is gout?", "--max-tokens", "3").out
    assert re.search(r"^Base model: toy\n", shown)
    assert re.search(r"^Fine-tuned model: toy \+ adapter [0-9a-f]{12}$", shown, re.MULTILINE)
    assert shown.rstrip().endswith("not medical advice.")


def test_ask_in_an_emergency(cli: Cli) -> None:
    said = cli("ask", "smoke", "My father has crushing chest pain, what should he take?")
    assert said.code == 0 and said.err == ""
    assert said.out.startswith("This may be an emergency. Call your local emergency number now")
    shown = cli("ask", "smoke", "I took 40 paracetamol tablets", "--json").json
    assert shown["referral"].startswith("This may be an emergency") and "answers" not in shown


def test_ask_a_run_without_a_model(cli: Cli, own_store: RunStore) -> None:
    shutil.rmtree(own_store.folder / "smoke" / "adapter")
    said = cli("ask", "smoke", "What is gout?")
    assert said.code == 1
    assert said.error == "smoke holds no model: it can be read but not asked."


def test_import(cli: Cli, own_store: RunStore, tmp_path: Path) -> None:
    (tmp_path / "theirs.json").write_text(
        json.dumps({"results": {"mmlu_anatomy": {"acc,none": 0.3, "acc_stderr,none": 0.04}}, "config": {}})
    )
    said = cli("import", str(tmp_path / "theirs.json"), "--run-id", "theirs", "--title", "Theirs", "--json")
    assert said.code == 0
    assert (said.json["id"], said.json["kind"], said.json["title"]) == ("theirs", "imported", "Theirs")
    assert own_store.open("theirs").record.kind == "imported"
    again = cli("import", str(tmp_path / "theirs.json"), "--run-id", "theirs")
    assert again.code == 2
    assert "'theirs' is taken" in again.error
    evaluated = cli("evaluate", "theirs")
    assert evaluated.code == 2
    assert "theirs is an imported run" in evaluated.error


@pytest.mark.usefixtures("smoke")
def test_a_watcher_is_told_what_happens(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "loading the adapter\n" in cli("ask", "smoke", "What is gout?", "--max-tokens", "2").err


@pytest.mark.usefixtures("in_lab")
def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -W error -m medqa_core data describe --json | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        cwd=PACKAGE_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_a_record_made_afterwards_says_so(cli: Cli, own_store: RunStore) -> None:
    folder = own_store.folder / "smoke"
    assert "has a record of its training already" in cli("verify", "smoke", "--record").error
    (folder / "training.json").unlink()
    said = cli("verify", "smoke", "--record", "--json")
    assert (said.code, said.err) == (0, "")
    [check] = [one for one in said.json["checks"] if one["name"] == "training record"]
    assert check["passed"] is True and "which was made after the training" in check["detail"]
    record = own_store.open("smoke").snapshot().training_record
    assert record is not None and (record.written_by, record.changed) == ("afterwards", True)
    (folder / "training.json").unlink()
    write_json(folder / "status.json", read_json(folder / "status.json") | {"state": "stopped"})
    assert "smoke is stopped: only of a completed training" in cli("verify", "smoke", "--record").error


def test_a_training_that_changed_nothing_is_told_at_its_end(cli: Cli, own_store: RunStore) -> None:
    fields = ("method=full", "learning_rate=1", "warmup_steps=0", "eval_steps=100")
    arguments = [part for field in fields for part in ("--set", field)]
    said = cli("train", "--preset", "smoke", *arguments)
    assert said.code == 0
    assert "\nThe training diverged: the loss went from " in said.out
    assert "\nUnchanged: the fine-tuned model is the base model; no validation was better than the one " in said.out
