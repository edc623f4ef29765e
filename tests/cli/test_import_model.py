"""From the folder of somebody's own script to a verdict and an answer in three commands."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.imports import import_problems
from medqa_core.jobs.task import TaskStatus, read_entry
from medqa_core.jobs.tasks import submit_task
from medqa_core.runs.store.run_store import RunStore
from tests.support.commands import Command
from tests.support.foreign_models import ASKED, LEARNT, lora, rows, toy_folder


def script(base: str, out: Path, pairs: list[tuple[str, str]], *, lora: bool, steps: int) -> None:
    """What people write: Trainer on question and answer as one text, saved at its end."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if lora:
        model = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    data = []
    for question, answer in pairs:
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        ids = tokenizer(tokenizer.apply_chat_template(turns, tokenize=False))["input_ids"][:128]
        data.append({"input_ids": ids, "labels": ids})
    arguments = TrainingArguments(
        str(out), max_steps=steps, per_device_train_batch_size=1, learning_rate=1e-3, logging_steps=1, use_cpu=True,
        report_to=[], disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=data, processing_class=tokenizer)
    trainer.train()
    trainer.save_model()
    trainer.save_state()


def three_commands(cli: Command, base: str, name: str, place: Path, *, lora: bool) -> None:
    test, train = rows(ASKED, place / "test.csv"), rows(LEARNT, place / "train.csv")
    named = [] if lora else ["--base", base]  # an adapter names its base
    said = cli(
        "import", str(place / name), *named, "--data", str(test), "--trained-on", str(train), "--max-new-tokens", "16"
    )
    assert said.code == 0, said.err
    assert f"{name}: imported, with its model." in said.out and f"evaluate {name}" in said.out
    said = cli("evaluate", name)
    assert said.code == 0, said.err
    assert said.out.startswith(("No", "Mixed", "Inconclusive", "Yes"))
    said = cli("ask", name, "How is gout treated?", "--max-tokens", "8", "--json")
    assert said.code == 0, said.err
    assert said.json["answers"].keys() >= {"base", "fine_tuned"}
    said = cli("verify", name, "--json")
    assert said.code == 0, said.out


@pytest.mark.filterwarnings("ignore")  # the script's, from its own libraries
@pytest.mark.parametrize("lora", [True, pytest.param(False, marks=pytest.mark.real)], ids=["lora", "full"])
def test_a_plain_script_in_three_commands(
    cli: Command, in_lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lora: bool
) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    base = str(toy_folder(in_lab))
    script(base, tmp_path / "out", LEARNT, lora=lora, steps=3)
    three_commands(cli, base, "out", tmp_path, lora=lora)
    shown = cli("report", "out", "--json")
    assert shown.code == 0
    assert (tmp_path / "reports" / "out" / "metrics.jsonl").read_text().count("\n") == 3  # the script's own log


@pytest.mark.real
@pytest.mark.filterwarnings("ignore")
def test_the_embedded_model_in_three_commands(cli: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medqa_core.models import embedded

    settings = Settings.from_environment()
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    base = str(embedded.ensure(settings.cache))
    script(base, tmp_path / "out", LEARNT, lora=True, steps=20)
    three_commands(cli, base, "out", tmp_path, lora=True)


def test_what_belongs_to_a_model_needs_questions(cli: Command, tmp_path: Path) -> None:
    said = cli("import", str(tmp_path), "--base", "toy")
    assert (said.code, said.err.startswith("error: --data: name the questions")) == (2, True)
    said = cli("import", str(tmp_path), "--data", "starter", "--test-size", "-3")
    assert said.code == 2 and "test_size" in said.err


def test_a_page_s_import_makes_the_same_run_and_says_what_it_does(
    cli: Command, in_lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    settings = Settings.from_environment()
    base = toy_folder(in_lab)
    lora(base, tmp_path / "mine")
    given = {
        "path": str(tmp_path / "mine"),
        "dataset": str(rows(ASKED, tmp_path / "test.csv")),
        "trained_on": str(rows(LEARNT, tmp_path / "train.csv")),
        "test_size": "5",
    }
    assert import_problems(given, settings) == {}

    def done(arguments: dict[str, str]) -> TaskStatus:
        entry = submit_task("import", None, settings, arguments).entry
        cli("task", entry.task.id)
        found = read_entry(entry.folder)
        assert found is not None
        return found.status

    failed = done({**given, "base": "nobody/has-this"})
    assert failed.state == "failed" and failed.run is None
    status = done({**given, "base": "toy", "title": "Mine"})
    assert (status.state, status.run, status.stage) == ("done", "mine", "loading both models")
    run = RunStore(settings.reports).open("mine")
    assert run.adapter_folder() is not None and run.record.title == "Mine"
    assert run.record.evaluated_on is not None and run.record.evaluated_on.trained_on == given["trained_on"]
    assert run.record.data is not None and run.record.data.split is not None and run.record.data.split.test == 5
    assert (run.folder / "summary.html").is_file()
    wide = tmp_path / "wide"
    shutil.copytree(tmp_path / "mine", wide)
    tensors = load_file(wide / "adapter_model.safetensors")
    save_file(
        {name.replace("layers.1", "layers.9"): one for name, one in tensors.items()}, wide / "adapter_model.safetensors"
    )
    failed = done({**given, "path": str(wide), "base": "toy"})
    assert (failed.state, failed.field) == ("failed", "--base"), "so that the form says it there"
    assert [path.name for path in settings.reports.iterdir() if not path.name.startswith(".")] == ["mine"]
