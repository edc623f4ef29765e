"""Training speed against the script that everyone writes: Trainer's arithmetic, every example padded to 384 tokens.

Each side has a process of its own, one after the other (the plain one needs 15 GB), and does its optimizer steps on the
same MedQuAD examples, or the starter set's where MedQuAD is not in reach. Real (non-padding) tokens are counted. The
plain side does what the plain Trainer script does: full fine-tune, batch 12, two batches a step, `sdpa`, AdamW, the
model's own loss. The first step warms up; the median of the others counts. `lora_cached` and `frozen_cached` are steps
of the second epoch and later. The plain side is float32; ours is in the precision that a run would have here
(`--precision`), and its share is that of the matrix products in that precision.

    python benchmarks/training.py [--quick]
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait, before torch is imported

# isort: split
import torch

from medqa_core.data import sources
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import LoadedModel, load
from medqa_core.models.prompt import IGNORED, Example, encode_example, kind_for
from medqa_core.runs.schema.config import TrainConfig, validated
from medqa_core.runs.schema.record import TrainingPrecision
from medqa_core.training.precision import resolve
from medqa_core.training.process import as_worker
from medqa_core.training.trainer_state import TrainerState, accelerator_for

MAX_TOKENS = 384


@dataclass(frozen=True)
class Size:
    """How much is done: examples in all, examples a batch, batches a step, measured rounds."""

    examples: int
    batch: int
    gradient_accumulation_steps: int
    rounds: int


Step = Callable[[int], tuple[int, float]]
"""One optimizer step: from its number to its real tokens and its seconds."""
WHOLE, QUICK = Size(96, 12, 2, 3), Size(12, 3, 1, 1)
OURS = {
    "full": {"method": "full", "learning_rate": 1e-5},
    "lora": {"method": "lora", "lora_rank": 16, "lora_alpha": 32, "learning_rate": 1e-5},
    "lora_cached": {"method": "lora", "lora_rank": 16, "lora_alpha": 32, "learning_rate": 1e-5},
    "frozen_cached": {"method": "last_k", "learning_rate": 1e-5},
}
LAST = {"lora_cached": 12, "frozen_cached": 6}
"""Layers, counted from the last, that carry the adapter or are trained, on cached output of those below."""


@dataclass
class Plain:
    """The plain script: pads to 384, keeps all logits, lets the model compute its loss."""

    base: LoadedModel
    examples: Sequence[Example]
    size: Size

    def __post_init__(self) -> None:
        self.model = self.base.model.train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-5)

    def step(self, number: int) -> tuple[int, float]:
        """One optimizer step; real tokens and seconds."""
        start, tokens = time.perf_counter(), 0
        batch = self.size.batch
        count = batch * self.size.gradient_accumulation_steps
        chosen = [self.examples[(number * count + place) % len(self.examples)] for place in range(count)]
        for first in range(0, count, batch):
            members = chosen[first : first + batch]
            ids = torch.zeros(batch, MAX_TOKENS, dtype=torch.long)
            mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
            for row, example in enumerate(members):
                length = len(example.input_ids)
                ids[row, :length] = torch.tensor(example.input_ids)
                labels[row, :length] = torch.tensor(example.labels)
                mask[row, :length] = 1
                tokens += length
            loss = (
                self.model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
                / self.size.gradient_accumulation_steps
            )
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return tokens, time.perf_counter() - start


def gemm_flops(kind: torch.dtype, size: int = 1024) -> float:
    """The machine's matrix product in a precision, in operations a second: the ceiling."""
    a, b = torch.randn(size, size).to(kind), torch.randn(size, size).to(kind)
    best = 0.0
    for _ in range(12):
        start = time.perf_counter()
        for _ in range(4):
            a @ b
        best = max(best, 4 * 2 * size**3 / (time.perf_counter() - start))
    return best


def last_layers(base: LoadedModel, name: str) -> int:
    """How many layers a side trains or adapts: as many as LAST says, or all but one of a model that has no more."""
    layers: int = base.model.config.num_hidden_layers
    return min(LAST[name], layers - 1)


def useful_flops(base: LoadedModel, method: str, examples: Sequence[Example]) -> float:
    """Operations a real token that the method cannot do without: 2 a weight forward, 2 back, 2 for its gradient."""
    head: int = base.model.get_output_embeddings().weight.numel()
    body: int = base.parameters - base.model.get_input_embeddings().weight.numel()
    layers: int = base.model.config.num_hidden_layers
    answers = sum(len(e.input_ids) - e.prompt_tokens for e in examples) / sum(len(e.input_ids) for e in examples)
    if method == "lora":
        return 4 * (body + head * answers)
    if method == "lora_cached":
        return 4 * (body * last_layers(base, method) / layers + head * answers)
    if method == "frozen_cached":
        return 6 * body * last_layers(base, method) / layers + 4 * head * answers
    return 6 * (body + head * answers)


def examples_for(base: LoadedModel, settings: Settings, count: int) -> tuple[list[Example], str]:
    """`count` encoded pairs of MedQuAD, or of the starter set where MedQuAD is not in reach; and which."""
    try:
        data = sources.load("medquad", settings)
    except DataUnavailable:
        data = sources.load("starter", settings)
    every = max(1, len(data.pairs) // count)
    kind = kind_for(base.tokenizer)
    chosen = data.pairs[::every][:count]
    return [
        encode_example(base.tokenizer, p.question, p.answer, kind, MAX_TOKENS, end=True) for p in chosen
    ], data.title


def ours(
    name: str, base: LoadedModel, examples: Sequence[Example], size: Size, asked: str
) -> tuple[Step, TrainingPrecision]:
    """Our step for one method, and the precision that `asked` came to."""
    common = {
        "base_model": base.name,
        "batch_size": size.batch,
        "gradient_accumulation_steps": size.gradient_accumulation_steps,
        "epochs": 1000.0,
        "precision": asked,
    }
    last = {"lora_cached": "lora_layers", "frozen_cached": "last_k"}.get(name)
    some = {last: last_layers(base, name)} if last else {}
    config: TrainConfig = validated({**common, **some, **OURS[name]})
    precision = resolve(config, base).precision
    state = TrainerState(config, base, examples, accelerator_for(base.device, precision), precision=precision)
    state.cache_hidden_states(Path(tempfile.gettempdir()))

    def step(number: int) -> tuple[int, float]:
        done = state.step(number + 1)
        return done.tokens, done.seconds

    return step, precision


def serve(pipe: Connection, name: str, model: str, size: Size, asked: str) -> None:
    """One side in a process of its own: what it does to its memory must not help or hinder the others."""
    settings = Settings.from_environment()
    base = load(model, None, settings=settings)
    examples, source = examples_for(base, settings, size.examples)
    with nullcontext() if name == "plain" else as_worker():
        step: Step
        precision: TrainingPrecision = "float32"
        if name == "plain":
            step = Plain(base, examples, size).step
        else:
            step, precision = ours(name, base, examples, size, asked)
        pipe.send((source, useful_flops(base, name, examples), precision))
        while (number := pipe.recv()) is not None:
            pipe.send(step(number))
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


def main() -> None:
    """Run, print a table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small step and one round: under a minute, rougher")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="default: the embedded model")
    parser.add_argument("--precision", default="auto", help="ours: auto (default), float32 or bfloat16")
    parser.add_argument("--rounds", type=int, help="measured steps of each side")
    arguments = parser.parse_args()
    size = QUICK if arguments.quick else WHOLE
    rounds = arguments.rounds or size.rounds
    ceilings = {"float32": gemm_flops(torch.float32), "bfloat16": gemm_flops(torch.bfloat16)}
    context = multiprocessing.get_context("spawn")
    about: dict[str, tuple[str, float, TrainingPrecision]] = {}
    rates: dict[str, list[float]] = {}
    peaks: dict[str, int] = {}
    for name in ("plain", *OURS):
        pipe, theirs = context.Pipe()
        process = context.Process(
            target=serve, args=(theirs, name, arguments.model, size, arguments.precision), daemon=True
        )
        process.start()
        theirs.close()  # or a side that fails would be waited for
        about[name] = pipe.recv()
        rates[name] = []
        for number in range(rounds + 1):  # the first one warms up
            pipe.send(number)
            tokens, seconds = pipe.recv()
            if number:
                rates[name].append(tokens / seconds)
        pipe.send(None)
        peaks[name] = pipe.recv()
        process.join()
    median = {name: statistics.median(values) for name, values in rates.items()}
    ratios = {f"ratio_{name}": median[name] / median["plain"] for name in OURS}
    share = {name: median[name] * about[name][1] / ceilings[about[name][2]] for name in median}
    source = about["plain"][0]
    threads = torch.get_num_threads()
    gemm = ", ".join(f"{name} {ceiling / 1e9:.0f}" for name, ceiling in ceilings.items())
    print(f"{arguments.model} on {source}, {threads} threads, GEMM in GFLOP/s: {gemm}")
    print(f"{'':<16}{'precision':>10}{'tokens/s':>10}{'ratio':>8}{'of GEMM':>10}{'peak MiB':>10}")
    for name, value in median.items():
        ratio = ratios.get(f"ratio_{name}", 1.0)
        print(f"{name:<16}{about[name][2]:>10}{value:>10.1f}{ratio:>8.2f}{share[name]:>10.0%}{peaks[name]:>10,}")
    result: dict[str, Any] = {
        **{name: round(value, 2) for name, value in ratios.items()},
        "tokens_per_second": {name: round(value, 1) for name, value in median.items()},
        "gemm_share": {name: round(value, 3) for name, value in share.items()},
        "gemm_gflops": round(ceilings["float32"] / 1e9, 1),
        "gemm_gflops_bfloat16": round(ceilings["bfloat16"] / 1e9, 1),
        "precision": {name: precision for name, (_, _, precision) in about.items()},
        "peak_mib": peaks,
        "rounds": rounds,
        "threads": threads,
        "model": arguments.model,
        "data": source,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
