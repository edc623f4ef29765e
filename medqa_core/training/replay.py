"""The first steps of a run once more, to see whether they come to the same losses."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.training.inputs import difference, load_inputs
from medqa_core.training.precision import recorded_precision
from medqa_core.training.process import as_worker
from medqa_core.training.trainer_state import TrainerState


@dataclass(frozen=True)
class Replayed:
    """One step, as it was logged and as it came out now."""

    step: int
    logged: float | None
    """None: this step was not logged, or its loss was not finite."""
    replayed: float

    @property
    def same(self) -> bool | None:
        """Whether both are the same to the last bit; None where there is nothing to compare with."""
        return None if self.logged is None else self.logged == self.replayed


def replay(run: Run, settings: Settings, steps: int, progress: Progress = silent) -> Iterator[Replayed]:
    """Do the first `steps` steps of `run` again, in memory; the run is not touched.

    Raises:
        InputError: an imported run, or a number of steps that it does not have.
        MedQAError: its model or data are unavailable, or not those that it was trained with.
    """
    config = run.record.config
    if config is None:
        raise InputError(f"{run.id} is an imported run: there is nothing to replay.")
    inputs = load_inputs(config, settings, progress, recorded_precision(run.record))
    differs = difference(run.record, inputs)
    if differs == "base":
        raise InputError(f"{run.id} was trained on other base weights than those here: its steps cannot be replayed.")
    if differs == "split":
        raise InputError(f"{run.id} was trained on another split than the data here give: it cannot be replayed.")
    logged = run.metrics_log().train
    known = dict(zip(logged["step"].astype(int).tolist(), logged["loss"].tolist(), strict=True))
    with as_worker(run.record.environment.threads):
        state = TrainerState.of(inputs)
        if not 1 <= steps <= state.schedule.total_steps:
            raise InputError(f"{run.id} has {state.schedule.total_steps}; give a number from 1 to that.", field="steps")
        if state.hidden_states_pay(settings.cache):
            progress("computing the frozen layers once for all examples, as the training did")
            state.cache_hidden_states(settings.cache)
        for number in range(1, steps + 1):
            loss = known.get(number)
            yield Replayed(number, loss if loss is not None and np.isfinite(loss) else None, state.step(number).loss)
