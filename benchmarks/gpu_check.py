"""Whether MedQA Lab does on a CUDA device what it does on a CPU, and how fast: a check of at most eight minutes.

Stages, each a process of its own with a share of the time that is left; what no longer fits is skipped and said:

  device    what the machine has
  tests     tests/cuda: precision, packed against padded loss, resume, generation, verify, quantised weights
  memory    computed against measured peak, and speed, of a few steps each way (full, LoRA, layers computed again, 4bit)
  train     the closed-book recipe (preset medquad-cpu: MedQuAD, 384 tokens, its epochs); stopped in time it keeps
            a checkpoint
  evaluate  both models on its test questions
  verify    the run against its files, data and models

Where MedQuAD is not in reach the starter set stands in, and where the embedded model is not, random weights of its
shape: then the figures of the evaluation mean nothing, and the result says so. Writes `gpu-check.json`, `gpu-check.log`
and `gpu-check-run.tar.gz` (the run folder) to the folder named by OUT, or the one given. Exits with 1 if a test, a
training, an evaluation or a check failed; skipped stages do not count.

    python benchmarks/gpu_check.py [--dry-run] [--minutes 8] [--out FOLDER]

`--dry-run` takes the same steps on the CPU with the toy, in about a minute.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RUN = "gpu-check"
LEAST_SECONDS = 10
"""A stage with less is skipped."""
END_SECONDS = 25
"""Kept for a last stage that has to be ended, the archive and the result."""
GRACE_SECONDS = 15
"""For a training to save its checkpoint after it was told to stop."""
DRY = ["--preset", "smoke"]
WAYS: dict[str, list[str]] = {
    "full": ["method=full"],
    "lora": [],
    "lora, layers computed again": ["gradient_checkpointing=true"],
    "full, layers computed again": ["method=full", "gradient_checkpointing=true"],
    "lora on 4bit weights": ["quantization=4bit"],
}
TESTS = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default", "-o", "addopts=", "-m", "cuda", "tests/cuda"]
"""Without the project's own options: a machine may lack the plugins that they need, and warn of other things."""
DEVICE = """
import medqa_core  # sets how threads wait, before torch is imported
import json, torch, transformers
from medqa_core.models.loader import pick_device
from importlib.metadata import PackageNotFoundError, version
device = pick_device()
found = {"device": device, "torch": torch.__version__, "transformers": transformers.__version__}
try:
    found["bitsandbytes"] = version("bitsandbytes")
except PackageNotFoundError:
    found["bitsandbytes"] = None
if device == "cuda":
    properties = torch.cuda.get_device_properties(0)
    found |= {"name": properties.name, "memory": properties.total_memory, "cuda": torch.version.cuda,
              "bfloat16": torch.cuda.is_bf16_supported()}
print(json.dumps(found))
"""
SHAPE = """
import medqa_core
import sys
from pathlib import Path
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from medqa_core.foundation.settings import Settings
from medqa_core.models import toy
folder = Path(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(toy.ensure(Settings.from_environment().cache))
torch.manual_seed(0)
config = LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                     num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=2048,
                     tie_word_embeddings=True, bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
                     pad_token_id=tokenizer.pad_token_id)
tokenizer.model_max_length = 2048
tokenizer.save_pretrained(folder)
LlamaForCausalLM(config).save_pretrained(folder)
"""
"""Random weights of the embedded model's shape, with the toy's tokenizer."""


@dataclass
class Check:
    """The check: its time, its folder, and what came of each stage."""

    out: Path
    log: TextIO
    deadline: float
    dry: bool
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)

    def left(self) -> float:
        """Seconds for the stages that are still to come."""
        return self.deadline - END_SECONDS - time.monotonic()

    def environment(self) -> dict[str, str]:
        """For every process; runs go to the folder of results."""
        dry = {"MEDQA_GPU_CHECK": "dry", "CUDA_VISIBLE_DEVICES": ""} if self.dry else {}
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        runs = {"MEDQA_REPORTS": str(self.out / "runs"), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **runs, **dry}

    def stage(self, name: str, words: list[str], share: float) -> str | None:
        """Run a process within its share of the time left; its standard output, or None where it gave none to use.

        It is asked to stop when its share is over, and ended if it does not.
        """
        limit = share * self.left()
        if limit < LEAST_SECONDS:
            self.note(name, outcome="skipped", reason=f"{max(limit, 0):.0f} s were left for it")
            return None
        start = time.monotonic()
        print(f"\n== {name}: {' '.join(words)[:300]}", file=self.log, flush=True)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environment(), stdout=output, stderr=self.log, text=True
            )
            outcome = _wait(process, limit)
            output.seek(0)
            said = output.read()
        print(said, file=self.log, flush=True)
        self.note(name, outcome=outcome, seconds=round(time.monotonic() - start, 1), limit=round(limit, 1))
        return said if outcome == "passed" else None

    def note(self, name: str, **facts: Any) -> None:
        """Keep what is known of a stage, and say it."""
        self.stages[name] = {**self.stages.get(name, {}), **facts}
        print(f"{name:<42}{self.stages[name]['outcome']:<12}{self.stages[name].get('seconds', 0):>7.1f} s", flush=True)
        write(self)

    @property
    def failed(self) -> list[str]:
        """The stages that went wrong; those that were skipped or ran out of time did not."""
        return [name for name, facts in self.stages.items() if facts["outcome"] == "failed"]


def _wait(process: "subprocess.Popen[str]", limit: float) -> str:
    try:
        return "passed" if process.wait(limit) == 0 else "failed"
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return "out of time"


def write(check: Check, **facts: Any) -> dict[str, Any]:
    """Write what is known so far, whole at any time."""
    result = {"dry_run": check.dry, "failed": check.failed, "stages": check.stages, **facts}
    temporary = check.out / ".gpu-check.json"
    temporary.write_text(json.dumps(result, indent=1), encoding="utf-8")
    temporary.replace(check.out / "gpu-check.json")
    return result


def recipe(check: Check) -> tuple[list[str], dict[str, str]]:
    """The words that train the closed-book recipe with what is here, and what stands in for what."""
    from medqa_core.data import sources
    from medqa_core.foundation.errors import MedQAError
    from medqa_core.foundation.settings import Settings
    from medqa_core.models import embedded

    if check.dry:
        return DRY, {"model": "toy", "data": "starter"}
    settings = Settings.from_environment()
    words, used = ["--preset", "medquad-cpu", "--set", "train_size=none"], {"model": "embedded", "data": "medquad"}
    try:
        sources.load("medquad", settings)
        words[-1] = "train_size=3500"
    except MedQAError:
        used["data"] = "starter"
        words += ["--set", "dataset=starter", "--set", "validation_size=40", "--set", "test_size=none"]
    try:
        embedded.ensure(settings.cache)
    except MedQAError:
        used["model"] = "random weights of the embedded model's shape: the evaluation's figures mean nothing"
        folder = check.out / ".model"
        folder.mkdir(exist_ok=True)
        check.stage("random weights", ["-c", SHAPE, str(folder)], 0.2)
        words += ["--set", f"base_model={folder}"]
    return words, used


def memory(check: Check, words: list[str]) -> dict[str, Any]:
    """Computed and measured peak and the speed of each way to train."""
    found: dict[str, Any] = {}
    for place, (name, changes) in enumerate(WAYS.items()):
        if check.dry and "quantization=4bit" in changes:
            check.note(f"memory: {name}", outcome="skipped", reason="needs a CUDA device")
            continue
        more = [word for change in changes for word in ("--set", change)]
        said = check.stage(
            f"memory: {name}",
            ["-m", "medqa_core", "train", *words, *more, "--estimate", "--json"],
            0.3 / (len(WAYS) - place),
        )
        if said is not None:
            estimate = json.loads(said)
            computed = sum(estimate["computed"].values())
            found[name] = {
                "measured": estimate["memory"],
                "computed": computed,
                "error": round(computed / estimate["memory"] - 1, 3),
                "tokens_per_second": estimate["tokens_per_second"],
                "precision": estimate.get("precision"),
            }
    return found


def run(check: Check) -> dict[str, Any]:
    """All stages; what they came to."""
    said = check.stage("device", ["-c", DEVICE], 0.2)
    if said is None:
        return {"device": {}}
    device = json.loads(said)
    if not check.dry and device.get("device") != "cuda":
        check.note("device", outcome="failed", reason="PyTorch finds no CUDA device here; --dry-run takes the CPU")
        return {"device": device}
    check.stage("tests", TESTS, 0.3)
    words, used = recipe(check)
    estimates = memory(check, words)
    train = ["-m", "medqa_core", "train", *words, "--run-id", RUN, "--json"]
    if check.stage("train", train, 0.6) is not None:
        check.stage("evaluate", ["-m", "medqa_core", "evaluate", RUN, "--json"], 0.8)
        if check.stages["evaluate"]["outcome"] == "passed":
            check.stage("verify", ["-m", "medqa_core", "verify", RUN], 1.0)
    return {"device": device, "used": used, "memory": estimates, "run": figures(check)}


def figures(check: Check) -> dict[str, Any]:
    """What the run's own files say of its training and evaluation."""
    found: dict[str, Any] = {}
    for name, keys in (
        ("status.json", ("state", "step", "total_steps", "train_seconds", "tokens", "best", "memory")),
        ("evaluation.json", ("metrics", "seconds", "base_generation", "fine_tuned_generation")),
    ):
        path = check.out / "runs" / RUN / name
        if path.is_file():
            content = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {key: content.get(key) for key in keys}
    status = found.get("status.json", {})
    if status.get("train_seconds"):
        found["tokens_per_second"] = round(status["tokens"] / status["train_seconds"], 1)
    return found


def archive(check: Check) -> None:
    """The run folder without its checkpoints as one file."""
    folder = check.out / "runs" / RUN
    if folder.is_dir():
        with tarfile.open(check.out / "gpu-check-run.tar.gz", "w:gz", compresslevel=1) as tar:
            tar.add(folder, RUN, filter=lambda one: None if "/checkpoints" in one.name else one)


def main() -> None:
    """Run the stages, and print one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry-run", action="store_true", help="the same steps on the CPU with the toy")
    parser.add_argument("--minutes", type=float, default=8.0, help="in all; default: 8")
    parser.add_argument("--out", type=Path, help="where to; default: the folder named by OUT")
    arguments = parser.parse_args()
    named = arguments.out or os.environ.get("OUT")
    if not named:
        parser.error("say where to: set OUT or give --out FOLDER")
    if not 1 <= arguments.minutes <= 60:
        parser.error("--minutes: give a number from 1 to 60")
    out = Path(named).absolute()
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with (out / "gpu-check.log").open("w", encoding="utf-8") as log:
        check = Check(out, log, start + 60 * arguments.minutes, arguments.dry_run)
        facts = run(check)
        archive(check)
        result = write(check, seconds=round(time.monotonic() - start, 1), **facts)
    print(json.dumps(result))
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
