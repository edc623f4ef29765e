"""From the folder of somebody's own script to a verdict and an answer in three commands."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from medqa_core.foundation.settings import Settings
from tests.support.commands import Command
from tests.support.foreign_models import ASKED, LEARNT, rows, toy_folder


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
