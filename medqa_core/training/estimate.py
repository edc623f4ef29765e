"""What a fine-tune will cost, measured on a few of its own steps. No run is made and nothing is kept."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from medqa_core.evaluation.loss import answer_losses
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Example
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.estimate import ComputedMemory, Estimate, Range
from medqa_core.training import checkpoint
from medqa_core.training.batching import pack_batches
from medqa_core.training.inputs import load_inputs
from medqa_core.training.memory import computed_memory
from medqa_core.training.process import as_worker
from medqa_core.training.recorder import memory
from medqa_core.training.stop import StopFlag
from medqa_core.training.trainer_state import StepResult, TrainerState

STEPS = 3
"""Steps that are measured at least."""
SECONDS = 1.0
"""As long are steps measured, though there are enough: short ones vary more, and one alone says little."""
SLACK = 0.1
"""Added to either side of the range: a machine that trains for hours does other things as well."""
WRITTEN_BYTES = 2**26
"""Of a checkpoint, this much is written to see how long the whole takes."""


def estimate(
    config: TrainConfig,
    settings: Settings,
    progress: Progress = silent,
    stop: StopFlag | None = None,
) -> Estimate:
    """Do one step to warm up and a few measured ones, and work out the whole run from them.

    Where the training computes its frozen layers once for all epochs, the measured steps read their output too.
    Time goes with tokens: the slowest and the fastest third of the steps, and a tenth more and less, give the range.
    Validation is measured on a few examples and counted as often as it will happen. So are the checkpoints, of which
    one is written to the cache folder and removed, and the best weights, which are written at most once a validation.

    Raises:
        MedQAError: bad input, an unavailable model or data set, or a loss that is not finite.
        Interrupted: a stop was asked for.
    """
    stop = stop or StopFlag()
    before = memory("cpu").used
    inputs = load_inputs(config, settings, progress)
    stop.check()
    with as_worker():
        state = TrainerState.of(inputs, stop)
        most = min(1 + STEPS, state.schedule.total_steps)
        numbers = range(1, most + 1) if state.hidden_states_pay(settings.cache) else None
        caching_seconds = _caching_seconds(state, settings.cache, numbers, progress) if numbers else 0.0
        progress("a step to warm up")
        state.step(1)
        steps = _measured(state, progress, numbers)
        progress("measuring a validation")
        validation_seconds = _validation_seconds(state, inputs.validation[: config.eval_examples])
        progress("measuring a checkpoint")
        write_seconds = _write_seconds(state, settings.cache)
        used = memory(state.device)
        progress("computing the memory from the model's shapes")
        computed = _computed(state, len(numbers) if numbers else 1 + len(steps), before)
    by_rate = sorted(steps, key=lambda step: step.tokens / step.seconds)
    third = max(1, len(steps) // 3)
    rates = {"low": _rate(by_rate[-third:]), "middle": _rate(steps), "high": _rate(by_rate[:third])}
    if not rates["middle"] > 0:
        raise InputError("the measured steps held no token.", field="train_size")
    validations = state.schedule.validations_from(0)
    slack = {"low": 1 - SLACK, "middle": 1.0, "high": 1 + SLACK}
    bests = {"low": 1, "middle": validations, "high": validations}
    seconds = {}
    for name, rate in rates.items():
        computing = state.schedule.total_tokens / rate + validations * validation_seconds
        writes = bests[name] + _checkpoints(config, state.schedule.total_steps, computing)
        seconds[name] = (caching_seconds + computing + writes * write_seconds) * slack[name]
    return Estimate(
        device=state.device,
        precision=state.precision,
        steps=state.schedule.total_steps,
        tokens=state.schedule.total_tokens,
        truncated_share=round(inputs.train.truncated_share, 4),
        measured_steps=len(steps),
        tokens_per_second=round(rates["middle"], 1),
        train_seconds=Range(**{name: round(value, 3) for name, value in seconds.items()}),
        memory=used.peak,
        memory_total=used.total,
        computed=computed,
    )


def _computed(state: TrainerState, steps: int, before: int) -> ComputedMemory | None:
    """The peak of the first `steps` steps as their shapes have it; `before`: what the process held at its start."""
    batches = [
        batch
        for number in range(1, min(steps, state.schedule.total_steps) + 1)
        for batch in pack_batches(
            state.examples, state.schedule.examples(number), state.max_tokens_per_forward, state.layout
        )
    ]
    largest = max(batches, key=lambda batch: batch.input_ids.numel())
    found = computed_memory(state.model.config, state.config, largest, device=state.device, precision=state.precision)
    return found and found.model_copy(update={"process": before if state.device == "cpu" else 0})


def _caching_seconds(state: TrainerState, folder: Path, numbers: Sequence[int], progress: Progress) -> float:
    """Compute the frozen layers once for the examples of some steps; the seconds that takes for all examples."""
    progress("computing the frozen layers of a few steps")
    examples = list(dict.fromkeys(index for number in numbers for index in state.schedule.examples(number)))
    state.cache_hidden_states(folder, only=examples[:1])  # to warm up
    start = time.monotonic()
    state.cache_hidden_states(folder, only=examples)
    lengths = state.schedule.lengths
    return (time.monotonic() - start) * sum(lengths) / max(1, sum(lengths[index] for index in examples))


def _measured(state: TrainerState, progress: Progress, numbers: Sequence[int] | None = None) -> list[StepResult]:
    """The steps after the first, as many as are measured; the first again where there is no other.

    `numbers`: the only steps that can be done, in turn.
    """
    steps: list[StepResult] = []
    total = state.schedule.total_steps
    while len(steps) < max(1, total - 1) and (len(steps) < STEPS or sum(s.seconds for s in steps) < SECONDS):
        progress(f"measured step {len(steps) + 1}")
        number = min(len(steps) + 2, total)
        steps.append(state.step(numbers[(number - 1) % len(numbers)] if numbers else number))
    return steps


def _rate(steps: Sequence[StepResult]) -> float:
    """Tokens per second of these steps together."""
    return sum(step.tokens for step in steps) / sum(step.seconds for step in steps)


def _checkpoints(config: TrainConfig, steps: int, seconds: float) -> float:
    """How many checkpoints are written in a training of so many steps and seconds."""
    due = seconds / (60 * config.checkpoint_minutes) if config.checkpoint_minutes else steps
    return min(float(steps), due)


def _write_seconds(state: TrainerState, cache: Path) -> float:
    """Seconds that a checkpoint takes, from a part of one where it is large; 0 where the cache cannot be written."""
    weights, moments, random = state.tensors()
    size = sum(tensor.nbytes for tensor in (*weights.values(), *moments.values()))
    part: checkpoint.Tensors = {}
    left = WRITTEN_BYTES
    for name, tensor in {**weights, **moments}.items():
        if left > 0:
            part[name] = tensor
            left -= tensor.nbytes
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="checkpoint-") as folder:
            start = time.monotonic()
            checkpoint.write(Path(folder), state.counters, part, {}, random)
            seconds = time.monotonic() - start
    except OSError:  # the run folder may lie on another disk, so this is no reason to give no estimate
        return 0.0
    return seconds * max(1.0, size / max(1, sum(tensor.nbytes for tensor in part.values())))


def _validation_seconds(state: TrainerState, examples: Sequence[Example]) -> float:
    """Seconds that a validation of all `examples` takes, from a few of them."""
    sample = examples[:8]
    start = time.monotonic()
    with state.evaluating() as model:
        answer_losses(model, sample)
    tokens = [sum(len(one.input_ids) for one in part) for part in (sample, examples)]
    return (time.monotonic() - start) * tokens[1] / max(1, tokens[0])
