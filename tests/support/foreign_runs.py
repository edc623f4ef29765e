"""Foreign runs for the tests, written by hand."""

import json
import math
from pathlib import Path
from typing import Any

SUMMARY = """
================================================================================
           CARDIOLOGY TUNING - RUN #5 SUMMARY
================================================================================

📅 RUN INFORMATION:
   Date: 2024-02-03 04:05:06
   Device: cuda
   PyTorch: 2.3.1
   Transformers: 4.41.0

🎯 OBJECTIVE:
   See whether a bigger network
   reads charts.

📋 MODEL & DATA CHOICES:

   Model: GPT-2 (124M parameters)
   Why? - It was to hand
        - It fits on one card

   Dataset: HeartPairs (questions from a clinic)
   Size: 2000 training / 400 validation / 300 test
   Why? - Nothing else was allowed

⚙️ HYPERPARAMETERS (Run #5):

   Learning Rate: 3e-05
   Batch Size: 8 (effective: 32 with accumulation)
   Epochs: 3
   Max Length: 256 tokens
   Weight Decay: 0.02
   Warmup Steps: 50
   Generation Temperature: 0.7

📊 TRAINING RESULTS:

   Training Time: 20.00 minutes
   Final Training Loss: 2.1000
   Samples/Second: 5.00

   ✅ The curve fell → good

🎯 EVALUATION METRICS:

   Test Loss: 2.3000
   Perplexity: 9.97
   → Smaller is nicer

   ROUGE-1: 0.3100
   ROUGE-2: 0.1000
   ROUGE-L: 0.2000

   MMLU Benchmark: Check mmlu_results/results.json

📈 KEY INSIGHTS:

1. How It Went:
   ✅ Nothing burned
   • A perplexity of 9.97 was seen

2. Model Limitations:
   ⚠️ Not for patients

================================================================================
                          END OF SUMMARY - RUN #5
================================================================================
"""

FIGURES = {
    "run_number": 5,
    "date": "2024-02-03 04:05:06",
    "device": "cuda",
    "torch": "2.3.1",
    "transformers": "4.41.0",
    "base_model": "GPT-2 (124M parameters)",
    "base_model_parameters": 124_000_000,
    "dataset": "HeartPairs (questions from a clinic)",
    "train_size": 2000,
    "validation_size": 400,
    "test_size": 300,
    "learning_rate": 3e-5,
    "batch_size": 8,
    "effective_batch": 32,
    "epochs": 3,
    "max_tokens": 256,
    "weight_decay": 0.02,
    "warmup_steps": 50,
    "temperature": 0.7,
    "train_minutes": 20.0,
    "final_train_loss": 2.1,
    "samples_per_second": 5.0,
    "test_loss": 2.3,
    "perplexity": 9.97,
    "rouge1": 0.31,
    "rouge2": 0.1,
    "rougeL": 0.2,
    "mmlu_results": "see mmlu_results/results.json",
}


def misread(text: str) -> str:
    """`text` as one sees it whose UTF-8 was read as Mac Roman."""
    return text.encode("utf-8").decode("mac_roman")


def trainer_state(steps: int = 10, **changes: Any) -> dict[str, Any]:
    """A trainer_state.json that logged every second step and validated at the end."""
    history: list[dict[str, Any]] = [
        {"epoch": n / 5, "grad_norm": 0.5, "learning_rate": 1e-4, "loss": 4.0 - n / 10, "step": n}
        for n in range(2, steps + 1, 2)
    ]
    history.append({"epoch": 2.0, "eval_loss": 3.1, "eval_runtime": 0.5, "step": steps})
    history.append(
        {
            "epoch": 2.0,
            "step": steps,
            "total_flos": 1e9,
            "train_loss": 3.4,
            "train_runtime": 8.0,
            "train_samples_per_second": 10.0,
            "train_steps_per_second": steps / 8,
        }
    )
    return {
        "epoch": 2.0,
        "global_step": steps,
        "max_steps": steps,
        "num_train_epochs": 2,
        "train_batch_size": 4,
        "best_model_checkpoint": "/home/someone/private/out/checkpoint-5",
        "best_metric": None,
        "log_history": history,
    } | changes


def trainer_folder(folder: Path, **changes: Any) -> Path:
    """A Trainer output folder, pickles included (as files that would break whoever opened them)."""
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(json.dumps(trainer_state(**changes)))
    results = {"train_samples": 40, "test_loss": 3.0, "test_samples": 6, "eval_loss": 3.1, "perplexity": math.exp(3.1)}
    (folder / "all_results.json").write_text(json.dumps(results))
    config = {"_name_or_path": "/home/someone/models/tiny-gpt", "model_type": "gpt2", "transformers_version": "4.41.0"}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("training_args.bin", "optimizer.pt", "rng_state.pth"):
        (folder / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    return folder


def lm_eval(accuracy: float = 0.26, n: int | None = 100) -> dict[str, Any]:
    """A results.json of lm-evaluation-harness for one subset."""
    value: dict[str, Any] = {
        "results": {"mmlu_medical_genetics": {"alias": "mg", "acc,none": accuracy, "acc_stderr,none": 0.0440844}},
        "n-shot": {"mmlu_medical_genetics": 5},
        "config": {"model": "hf", "model_args": "pretrained=someone/small", "random_seed": 0},
        "model_name": "someone/small",
        "date": 1772600767.5,
        "lm_eval_version": "0.4.13",
    }
    if n is not None:
        value["n-samples"] = {"mmlu_medical_genetics": {"original": n, "effective": n}}
    return value


def inspect_log(
    right: list[int], *, model: str = "hf/someone/small", task: str = "mmlu_0_shot", **changes: Any
) -> dict[str, Any]:
    """A log of Inspect as JSON; `right`: which of its questions were answered right, `changes`: of what was asked."""
    spec = {
        "created": "2026-01-02T03:04:05+00:00",
        "task": task,
        "model": model,
        "dataset": {"name": "cais/mmlu", "location": "cais/mmlu", "samples": len(right)},
        "config": {},
        "packages": {"inspect_ai": "0.3.285"},
    }
    share = sum(right) / max(1, len(right))
    samples = [
        {
            "id": n + 1,
            "epoch": 1,
            "input": f"Which made-up one is number {n}?",
            "choices": ["one", "two", "three", "four"],
            "target": "A",
            "messages": [{"role": "assistant", "content": "ANSWER: A"}],
            "scores": {"choice": {"value": "C" if value else "I", "answer": "A"}},
            "metadata": {"subject": "anatomy"},
        }
        for n, value in enumerate(right)
    ]
    metrics = {"accuracy": {"name": "accuracy", "value": share}, "stderr": {"name": "stderr", "value": 0.15}}
    return {
        "version": 2,
        "status": "success",
        "eval": {**spec, **changes},
        "plan": {"config": {"temperature": 0.0}},
        "results": {
            "total_samples": len(right),
            "completed_samples": len(right),
            "scores": [{"name": "choice", "scorer": "choice", "metrics": metrics}],
        },
        "samples": samples,
    }
