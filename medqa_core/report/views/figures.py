"""The figures of a run, each with where it comes from: a value, words in place of one, or nothing."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from medqa_core.foundation.format import NOT_STATED, count, duration, general, number, percent, words
from medqa_core.report.facts import Facts, Points
from medqa_core.report.statistics.trends import tenths
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig

Origin = Literal["measured", "reported", "not stated"]
Value = float | int | str | None


@dataclass(frozen=True)
class Figure:
    """One figure and who says so."""

    name: str
    value: Value
    """A number; a source's words in place of one; None where nothing is known."""
    origin: Origin

    @property
    def label(self) -> str:
        """What the figure is called."""
        return LABELS[self.name][0]

    @property
    def text(self) -> str:
        """The value with its digits and unit, or the source's words."""
        if self.value is None:
            return NOT_STATED
        return words(self.value, 60) if isinstance(self.value, str) else LABELS[self.name][1](self.value)

    @property
    def in_words(self) -> bool:
        """Whether the source gives words where a number is expected."""
        return isinstance(self.value, str)


LABELS: dict[str, tuple[str, Callable[[float], str]]] = {
    "train_minutes": ("Training time", lambda v: duration(v * 60)),
    "final_train_loss": ("Final training loss", number),
    "mean_train_loss": ("Mean training loss over the run", number),
    "last_train_loss": ("Last logged training loss", number),
    "samples_per_second": ("Examples per second", lambda v: number(v, 2)),
    "test_loss": ("Test loss", number),
    "perplexity": ("Perplexity", lambda v: number(v, 2)),
    "bits_per_byte": ("Bits per byte", number),
    "loss_outside_templates": ("Loss outside templates", number),
    "topic_information": ("Topic information", number),
    "rouge1": ("ROUGE-1", number),
    "rouge2": ("ROUGE-2", number),
    "rougeL": ("ROUGE-L", number),
    "validation_rouge1": ("ROUGE-1 on the validation set", number),
    "validation_rouge2": ("ROUGE-2 on the validation set", number),
    "validation_rougeL": ("ROUGE-L on the validation set", number),
    "token_f1": ("Token F1", number),
    "rougeL_outside_templates": ("ROUGE-L outside templates", number),
    "token_f1_outside_templates": ("Token F1 outside templates", number),
    "content_f1": ("Content F1", number),
    "specifics": ("Specifics F1", number),
    "mmlu": ("MMLU accuracy", percent),
    "best_validation_loss": ("Lowest validation loss", number),
    "best_step": ("Step of the lowest validation loss", lambda v: count(int(v))),
    "steps": ("Optimizer steps", lambda v: count(int(v))),
}

ALIASES = {
    "final_train_loss": ("train_loss",),
    "samples_per_second": ("train_samples_per_second",),
    "test_loss": ("loss",),
    "best_validation_loss": ("best_metric", "eval_loss"),
    "steps": ("global_step", "total_steps"),
}
"""Other names under which a source may state a figure."""

RESULT_KEYS = frozenset({*LABELS, "train_runtime", "train_seconds", *(a for names in ALIASES.values() for a in names)})

INFORMATION_KEYS: dict[str, str] = {
    "date": "Date",
    "device": "Device",
    "torch": "PyTorch",
    "pytorch": "PyTorch",
    "transformers": "Transformers",
    "python": "Python",
    "model": "Model",
    "base_model": "Model",
    "parameters": "Parameters",
    "base_model_parameters": "Parameters",
    "run_number": "Run",
    "mmlu_results": "MMLU results",
    "dataset": "Data",
    "train_size": "Training examples",
    "validation_size": "Validation examples",
    "test_size": "Test examples",
}
"""What a source may state beside settings and results."""

SETTINGS: dict[str, str] = {
    "adapter": "Adapter",
    "chat_template": "Chat template",
    "chat_template_sha": "Chat template, SHA",
    "fewshot_as_multiturn": "Examples as turns of a chat",
    "system_instruction_sha": "System instruction, SHA",
    "n_shot": "Examples in the prompt",
    "method": "Method",
    "last_k": "Layers trained",
    "lora_layers": "Layers with an adapter",
    "lora_rank": "Adapter rank",
    "lora_alpha": "Adapter alpha",
    "lora_dropout": "Adapter dropout",
    "quantization": "Frozen weights",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "gradient_accumulation_steps": "Accumulation",
    "effective_batch": "Effective batch size",
    "effective_batch_size": "Effective batch size",
    "max_tokens": "Longest example, tokens",
    "max_length": "Longest example, tokens",
    "learning_rate": "Learning rate",
    "schedule": "Schedule",
    "warmup_steps": "Warm-up steps",
    "weight_decay": "Weight decay",
    "max_grad_norm": "Gradient norm limit",
    "seed": "Seed",
    "split_seed": "Split seed",
    "max_new_tokens": "Longest answer, tokens",
    "temperature": "Generation temperature",
    "generation_temperature": "Generation temperature",
}
QUANTIZED = {
    "8bit": "8-bit while training; evaluated on the base's own weights",
    "4bit": "4-bit while training; evaluated on the base's own weights",
}
METHODS = {"lora": "low-rank adapter (LoRA)", "last_k": "the last layers", "full": "all weights"}


def figures(run: Run | Facts) -> dict[str, Figure]:
    """Every figure by name, in the order in which they are shown."""
    facts = Facts.of(run)
    values = _reported(facts) if facts.imported else _measured(facts)
    return {name: _figure(name, values.get(name), facts.imported) for name in LABELS}


def settings(run: Run | Facts) -> list[tuple[str, str]]:
    """The hyper-parameters as label and text; empty where the run states none."""
    record = Facts.of(run).record
    if record.config is not None:
        return _config(record.config)
    stated = record.imported.figures if record.imported else {}
    kept = [k for k in stated if k not in RESULT_KEYS and k not in INFORMATION_KEYS]
    order = list(SETTINGS)
    kept.sort(key=lambda k: (order.index(k) if k in SETTINGS else len(order), k))
    return [(SETTINGS.get(k) or words(k.replace("_", " "), 60).capitalize(), show(stated[k])) for k in kept[:60]]


def figure_of(found: dict[str, Figure], metric: str) -> Figure:
    """The fine-tuned model's figure for a metric of the evaluation."""
    return found["test_loss" if metric == "loss" else metric]


def stated(facts: Facts, *names: str) -> Value:
    """What an imported run's source says under the first of `names` that it uses."""
    found = facts.record.imported.figures if facts.record.imported else {}
    return next((found[name] for name in names if name in found), None)


def show(value: Value) -> str:
    """A value as a source states it."""
    if value is None:
        return NOT_STATED
    return words(value) if isinstance(value, str) else general(value)


def training_loss(points: Points) -> float | None:
    """The mean training loss over the last tenth of the logged steps."""
    return float(tenths(points.losses)[1].mean()) if len(points) else None


def _figure(name: str, value: Value, imported: bool) -> Figure:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return Figure(name, None, "not stated")
    return Figure(name, value, "reported" if imported else "measured")


def _measured(facts: Facts) -> dict[str, Value]:
    status, data = facts.status, facts.record.data
    values: dict[str, Value] = {}
    if status is not None:
        values["steps"] = status.step or None
        seconds = status.train_seconds
        values["train_minutes"] = None if seconds is None else seconds / 60
        if seconds and status.epoch and data is not None and data.examples is not None:
            values["samples_per_second"] = status.epoch * data.examples / seconds
    return values | _from_files(facts)


def _reported(facts: Facts) -> dict[str, Value]:
    said: dict[str, Value] = {}
    for name in LABELS:
        said[name] = stated(facts, name, *ALIASES.get(name, ()))
    seconds = stated(facts, "train_seconds", "train_runtime")
    if said["train_minutes"] is None and isinstance(seconds, int | float):
        said["train_minutes"] = seconds / 60
    known = {name: value for name, value in said.items() if value is not None}
    return _from_files(facts) | known


def _from_files(facts: Facts) -> dict[str, Value]:
    """What evaluation.json, metrics.jsonl and the MMLU results say, for either kind of run."""
    values: dict[str, Value] = {}
    train, validation = Points.of(facts.metrics_log.train), Points.of(facts.metrics_log.validation)
    if facts.training is None and stated(facts, "last_train_loss") is None:
        values["final_train_loss"] = training_loss(train)
    if len(validation) and facts.training is None:
        values["best_validation_loss"] = float(validation.losses[validation.best])
        values["best_step"] = validation.step(validation.best)
    elif facts.status is not None and facts.status.best is not None:
        values["best_validation_loss"] = facts.status.best.validation_loss
        values["best_step"] = facts.status.best.step
    for name, metric in facts.metrics:
        values["test_loss" if name == "loss" else name] = metric.fine_tuned
    if values.get("mmlu") is None and facts.mmlu is not None:
        values["mmlu"] = facts.mmlu.pooled(facts.mmlu.fine_tuned)
    return {name: value for name, value in values.items() if value is not None}


def _config(config: TrainConfig) -> list[tuple[str, str]]:
    others = {"lora": ("last_k",), "last_k": ("lora_",), "full": ("last_k", "lora_")}[config.method]
    rows = []
    for name, label in SETTINGS.items():
        if name == "effective_batch":
            rows.append((label, count(config.effective_batch)))
        elif name == "method":
            rows.append((label, METHODS[config.method]))
        elif name == "lora_layers" and config.lora_layers is None:
            continue
        elif name == "quantization":
            rows += [(label, QUANTIZED[config.quantization])] if config.quantization != "none" else []
        elif name in TrainConfig.model_fields and not name.startswith(others):
            rows.append((label, show(getattr(config, name))))
    return rows
