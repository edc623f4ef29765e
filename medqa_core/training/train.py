"""A fine-tune from its configuration to the adapter in the run folder; and the same run, continued."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import medqa_core
from medqa_core.foundation.errors import InputError, MedQAError, ModelError, RunError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.change import changes_base
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.training_record import write_training_record
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.status import LIVE, Best, Status
from medqa_core.runs.status_writer import StatusWriter, is_main
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint
from medqa_core.training.callbacks import Callback, Callbacks, noop
from medqa_core.training.failure import describe_failure
from medqa_core.training.inputs import TrainingInputs, completed_record, difference, load_inputs
from medqa_core.training.loop import TrainingLoop
from medqa_core.training.model import check_adapter_returns, save
from medqa_core.training.precision import recorded_precision
from medqa_core.training.process import as_worker, logged
from medqa_core.training.recorder import Companion, Recorder
from medqa_core.training.stop import Interrupted, StopFlag
from medqa_core.training.tracking import tracking_of
from medqa_core.training.trainer_state import TrainerState

log = logging.getLogger("medqa.train")


def train(
    config: TrainConfig,
    settings: Settings,
    *,
    run_id: str | None = None,
    progress: Progress = silent,
    on_step: Callback = noop,
    stop: StopFlag | None = None,
) -> Run:
    """Run the whole fine-tune and return its run, completed or stopped.

    What is wrong with the configuration, the model or the data is raised before anything is written. Under
    `accelerate launch` every process calls this; the main one writes the run, the others return it too.

    Raises:
        MedQAError: bad input, an unavailable model or data set, or a loss that is not finite.
        Interrupted: stopped before there was a run.
    """
    stop = stop or StopFlag()
    store = RunStore(settings.reports)
    if run_id is not None and is_main():
        store.check_free(run_id)  # now: the model may take minutes to come
    inputs = load_inputs(config, settings, progress)
    stop.check()
    record = completed_record(store.new_record(config, run_id), inputs)
    if not is_main():
        return _train_unrecorded(Run(store.path(record.id), record), inputs, stop)
    run = store.create(record)
    progress(f"run {run.id}")
    return _train_recorded(run, lambda _: inputs, settings, Callbacks(on_step), stop, None)


def resume(
    run: Run,
    settings: Settings,
    *,
    progress: Progress = silent,
    on_step: Callback = noop,
    on_validation: Callback = noop,
    stop: StopFlag | None = None,
) -> Run:
    """Start a queued run, or resume one that was stopped, was cut off or failed.

    It continues from the newest checkpoint that is whole; where there is none, from the beginning.

    Raises:
        InputError: an imported or completed run, or one that is being trained.
        MedQAError: as `train`, and a model or data set that is not the one the run began with.
    """
    stop = stop or StopFlag()
    config, status = run.record.config, run.status()
    if config is None:
        raise InputError(f"{run.id} is an imported run: there is nothing to train.")
    if run.state() == "completed":
        raise InputError(f"{run.id} is completed: there is nothing left to train.")
    if not is_main():  # the main process may have begun: to this one the run looks like another's
        return _train_unrecorded(run, load_inputs(config, settings, progress, recorded_precision(run.record)), stop)
    if run.state() in LIVE and status is not None and status.process and status.process.pid != os.getpid():
        raise InputError(f"{run.id} is being trained already.")

    def load(writer: StatusWriter) -> TrainingInputs:
        def report(stage: str) -> None:
            stop.check()
            writer.update(stage=stage)
            progress(stage)

        inputs = load_inputs(config, settings, report, recorded_precision(run.record))
        _refuse_changed(run, inputs)
        if run.record.base_model is None:  # it waited in the queue until now
            RunStore(settings.reports).replace_record(run, completed_record(run.record, inputs))
        return inputs

    return _train_recorded(run, load, settings, Callbacks(on_step, on_validation), stop, status)


def _train_recorded(
    run: Run,
    load: Callable[[StatusWriter], TrainingInputs],
    settings: Settings,
    callbacks: Callbacks,
    stop: StopFlag,
    before: Status | None,
) -> Run:
    """The main process: everything that happens is in the run's status, whatever happens."""
    with logged(run.folder / "train.log"), StatusWriter(run.folder, before) as status:
        try:
            checkpoint.recover(run.folder)
            inputs = load(status)
            run = Run.at(run.folder)  # a queued run's record is whole only now
            stop.check()
            discard_manifest(run.folder)
            finished = _train_to_end(run, inputs, settings, status, callbacks, stop)
            record_training(run, inputs.base.folder, status.status.best)
        except (Interrupted, KeyboardInterrupt):
            status.update(state="stopped", stage=None)
            log.warning(
                "stopped at step %d of %s", status.status.step, status.status.total_steps or "an unknown number"
            )
        except BaseException as error:
            cause, sentence = describe_failure(error)
            status.update(state="failed", stage=None, error=sentence, cause=cause)
            log.error("%s", sentence, exc_info=not isinstance(error, MedQAError))
            raise
        else:
            status.update(state="completed", stage=None, remaining_seconds=None)
            checkpoint.remove(run.folder)
            log.info("completed: %s", finished)
    return run


def record_training(
    run: Run, base: Path, best: Best | None, *, by: Literal["training", "afterwards"] = "training"
) -> None:
    """Leave the record of what this training produced; before the run is called completed, or it would be lost.

    Args:
        base: the folder of the base model.
        best: the validation whose weights were kept.
        by: `afterwards` for a run that has ended without one.
    """
    changed = None if best is None else best.step > 0 and changes_base(run, base)
    write_training_record(run.folder, by=by, code_version=medqa_core.__version__, best=best, changed=changed)


def _train_unrecorded(run: Run, inputs: TrainingInputs, stop: StopFlag) -> Run:
    """The other processes of `accelerate launch`: they compute, write nothing and call nobody."""
    with as_worker():
        state = _state_of(run, inputs, stop, Callbacks())
        companion = Companion(state) if state.sharded else None
        try:
            TrainingLoop(state, inputs.validation, companion).run()
        except Interrupted:
            if companion is not None:
                companion.checkpoint()
            raise
    return run


def _train_to_end(
    run: Run, inputs: TrainingInputs, settings: Settings, status: StatusWriter, callbacks: Callbacks, stop: StopFlag
) -> str:
    """Train to the end; why it ended, as a phrase.

    Raises:
        Interrupted: stopped; a checkpoint was saved first.
    """
    with as_worker(run.record.environment.threads):
        state = _state_of(run, inputs, stop, callbacks)
        log.info(
            "training %s of %s weights on %s in %s",
            f"{state.trainable_parameters:,}",
            f"{inputs.base.parameters:,}",
            state.device,
            inputs.precision,
        )
        if state.distributed:
            how = "shards the weights" if state.sharded else "has all weights"
            log.info("%d processes train together; each %s", state.accelerator.num_processes, how)
        if inputs.config.method == "lora" and not state.sharded:
            check_adapter_returns(state.model, inputs.base)
        if state.counters.step:
            log.info("resuming after step %d", state.counters.step)
        _cache_hidden_states(state, settings, status)
        tracking = tracking_of(run)
        recorder = Recorder(run, state, status, lambda: _save_model(state, inputs, run), tracking)
        status.update(stage="training")
        try:
            return TrainingLoop(state, inputs.validation, recorder).run()
        except Interrupted:
            status.update(state="stopping", stage="saving a checkpoint")
            recorder.checkpoint()
            raise
        finally:
            recorder.close()
            status.note(train_seconds=round(state.seconds, 2))


def _state_of(run: Run, inputs: TrainingInputs, stop: StopFlag, callbacks: Callbacks) -> TrainerState:
    """The state at the run's newest checkpoint that is whole, or at the beginning."""
    state = TrainerState.of(inputs, stop, callbacks)
    start = checkpoint.newest(run.folder)
    if start is not None:
        state.restore(start)
    return state


def _save_model(state: TrainerState, inputs: TrainingInputs, run: Run) -> None:
    save(state.model, inputs.base, run.folder, inputs.config.method, state.weights_to_save())


def _cache_hidden_states(state: TrainerState, settings: Settings, status: StatusWriter) -> None:
    """Compute the frozen layers once where that pays and fits on the disk."""
    if not state.hidden_states_pay(settings.cache):
        return
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        state.stop.check()
        status.note(stage=f"computing the frozen layers once: {done:,} of {len(state.examples):,} examples")

    state.cache_hidden_states(settings.cache, advance)


def _refuse_changed(run: Run, inputs: TrainingInputs) -> None:
    """A run resumes with the model and the data that it began with, or not at all."""
    base, data, differs = run.record.base_model, run.record.data, difference(run.record, inputs)
    if differs == "base" and base is not None:
        raise ModelError(
            f"{run.id} began with a base of SHA-256 {(base.sha256 or '')[:12]}…, but {base.id} here has "
            f"{inputs.base.sha256[:12]}…; start a new run."
        )
    if differs == "split" and data is not None:
        raise RunError(
            f"{run.id} began with split {(data.split_hash or '')[:12]}…, the data here give another; start a new run."
        )
