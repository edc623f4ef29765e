"""What a fine-tune will cost, measured on a few of its own steps. No run is made and nothing is kept."""

import time
from collections.abc import Sequence

from medqa_core.evaluation.loss import answer_losses
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Example
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.estimate import ComputedMemory, Estimate, Range
from medqa_core.training.batching import pack_batches
from medqa_core.training.inputs import load_inputs
from medqa_core.training.memory import computed_memory
from medqa_core.training.process import as_worker
from medqa_core.training.recorder import memory
from medqa_core.training.stop import StopFlag
from medqa_core.training.trainer_state import StepResult, TrainerState, accelerator_for

STEPS = 3
SLACK = 0.1
"""Added to either side of the range: a machine that trains for hours does other things as well."""


def estimate(
    config: TrainConfig,
    settings: Settings,
    progress: Progress = silent,
    stop: StopFlag | None = None,
) -> Estimate:
    """Do one step to warm up and three measured ones, and work out the whole run from them.

    Time goes with tokens: the slowest and the fastest of the steps, and a tenth more and less, give the range.
    Validation is measured on a few examples and counted as often as it will happen.

    Raises:
        MedQAError: bad input, an unavailable model or data set, or a loss that is not finite.
        Interrupted: a stop was asked for.
    """
    stop = stop or StopFlag()
    before = memory("cpu").used
    inputs = load_inputs(config, settings, progress)
    stop.check()
    with as_worker():
        base = inputs.base
        precision = inputs.precision.precision
        accelerator = accelerator_for(base.device, precision)
        state = TrainerState(config, base, inputs.train.examples, accelerator, stop, precision=precision)
        progress("a step to warm up")
        state.step(1)
        steps: list[StepResult] = []
        for position in range(min(STEPS, max(1, state.schedule.total_steps - 1))):
            progress(f"measured step {position + 1} of {STEPS}")
            steps.append(state.step(min(position + 2, state.schedule.total_steps)))
        progress("measuring a validation")
        validation_seconds = _validation_seconds(state, inputs.validation[: config.eval_examples])
        used = memory(base.device)
        progress("computing the memory from the model's shapes")
        computed = _computed(state, 1 + len(steps), before)
    rates = sorted(step.tokens / step.seconds for step in steps)
    middle = sum(step.tokens for step in steps) / sum(step.seconds for step in steps)
    validations = validation_seconds * (1 + state.schedule.total_steps // config.eval_steps)
    if not middle > 0:
        raise InputError("the measured steps held no token.", field="train_size")
    seconds = {
        "low": (state.schedule.total_tokens / rates[-1] + validations) * (1 - SLACK),
        "middle": state.schedule.total_tokens / middle + validations,
        "high": (state.schedule.total_tokens / rates[0] + validations) * (1 + SLACK),
    }
    return Estimate(
        device=base.device,
        precision=precision,
        steps=state.schedule.total_steps,
        tokens=state.schedule.total_tokens,
        truncated_share=round(inputs.train.truncated_share, 4),
        measured_steps=len(steps),
        tokens_per_second=round(middle, 1),
        train_seconds=Range(**{name: round(value, 3) for name, value in seconds.items()}),
        memory=used.peak,
        memory_total=used.total,
        computed=computed,
    )


def _computed(state: TrainerState, steps: int, before: int) -> ComputedMemory:
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
    return found.model_copy(update={"process": before if state.device == "cpu" else 0})


def _validation_seconds(state: TrainerState, examples: Sequence[Example]) -> float:
    """Seconds that a validation of all `examples` takes, from a few of them."""
    sample = examples[:8]
    start = time.monotonic()
    with state.evaluating() as model:
        answer_losses(model, sample)
    tokens = [sum(len(one.input_ids) for one in part) for part in (sample, examples)]
    return (time.monotonic() - start) * tokens[1] / max(1, tokens[0])
