"""A fine-tune from its configuration to the adapter in the run folder; and the same run, continued."""

import logging
import os
import shutil
from collections.abc import Callable
from typing import NamedTuple

from medqa_core.foundation.errors import InputError, MedQAError, ModelError, RunError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.status import LIVE, Status
from medqa_core.runs.status_writer import StatusWriter, is_main
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint
from medqa_core.training.checkpoint import Counters
from medqa_core.training.failure import in_words
from medqa_core.training.frozen import HiddenStates
from medqa_core.training.loop import Loop, OnStep, noop
from medqa_core.training.model import save
from medqa_core.training.prepare import Prepared, completed, difference, prepare
from medqa_core.training.process import as_worker, logged
from medqa_core.training.recorder import Recorder
from medqa_core.training.stop import Interrupted, StopFlag
from medqa_core.training.trainer_state import Fit, accelerator_for

log = logging.getLogger("medqa.train")


class Callbacks(NamedTuple):
    """Who is told of each step and of each validation."""

    on_step: OnStep = noop
    on_validation: OnStep = noop


def train(
    config: TrainConfig,
    settings: Settings,
    *,
    run_id: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
    on_step: OnStep = noop,
    stop: StopFlag | None = None,
) -> Run:
    """Run the whole fine-tune and return its run, completed or stopped.

    What is wrong with the configuration, the model or the data is raised before anything is written. Under
    `accelerate launch` every process calls this; the main one writes the run, the others return it too.

    Raises:
        MedQAError: bad input, a model or data set out of reach, or a loss that is not finite.
        Interrupted: stopped before there was a run.
    """
    stop = stop or StopFlag()
    store = RunStore(settings.reports)
    if run_id is not None and is_main():
        store.check_free(run_id)  # now: the model may take minutes to come
    prepared = prepare(config, settings, progress)
    stop.check()
    record = completed(store.new_record(config, run_id), prepared)
    if not is_main():
        return _help(Run(store.path(record.id), record), prepared, stop)
    run = store.create(record)
    progress(f"run {run.id}")
    return _work(run, lambda _: prepared, settings, Callbacks(on_step), stop, None)


def resume(
    run: Run,
    settings: Settings,
    *,
    progress: Callable[[str], None] = lambda _: None,
    on_step: OnStep = noop,
    on_validation: OnStep = noop,
    stop: StopFlag | None = None,
) -> Run:
    """Start a queued run, or go on with one that was stopped, was cut off or failed.

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
    if run.state() in LIVE and status is not None and status.process and status.process.pid != os.getpid():
        raise InputError(f"{run.id} is being trained already.")
    if not is_main():
        return _help(run, prepare(config, settings, progress), stop)

    def ready(writer: StatusWriter) -> Prepared:
        def say(stage: str) -> None:
            stop.check()
            writer.update(stage=stage)
            progress(stage)

        prepared = prepare(config, settings, say)
        _refuse_other(run, prepared)
        if run.record.base_model is None:  # it waited in the queue until now
            RunStore(settings.reports).replace_record(run, completed(run.record, prepared))
        return prepared

    return _work(run, ready, settings, Callbacks(on_step, on_validation), stop, status)


def _work(
    run: Run,
    ready: Callable[[StatusWriter], Prepared],
    settings: Settings,
    heard: Callbacks,
    stop: StopFlag,
    before: Status | None,
) -> Run:
    """The main process: everything that happens is in the run's status, whatever happens."""
    with logged(run.folder / "train.log"), StatusWriter(run.folder, before) as status:
        try:
            checkpoint.recover(run.folder)
            prepared = ready(status)
            run = Run.at(run.folder)  # a queued run's record is whole only now
            stop.check()
            discard_manifest(run.folder)
            finished = _fit(run, prepared, settings, status, heard, stop)
        except (Interrupted, KeyboardInterrupt):
            status.update(state="stopped", stage=None)
            log.warning(
                "stopped at step %d of %s", status.status.step, status.status.total_steps or "an unknown number"
            )
        except BaseException as error:
            cause, words = in_words(error)
            status.update(state="failed", stage=None, error=words, cause=cause)
            log.error("%s", words, exc_info=not isinstance(error, MedQAError))
            raise
        else:
            status.update(state="completed", stage=None, remaining_seconds=None)
            checkpoint.remove(run.folder)
            log.info("completed: %s", finished)
    return run


def _help(run: Run, prepared: Prepared, stop: StopFlag) -> Run:
    """The other processes of `accelerate launch`: they compute and write nothing."""
    with as_worker():
        fit, counters = _begun(run, prepared, stop)
        Loop(fit, prepared, counters, None).run()
    return run


def _fit(
    run: Run, prepared: Prepared, settings: Settings, status: StatusWriter, heard: Callbacks, stop: StopFlag
) -> str:
    """Train to the end. Returns why it ended, in words.

    Raises:
        Interrupted: stopped; a checkpoint was saved first.
    """
    with as_worker(run.record.environment.threads):
        fit, counters = _begun(run, prepared, stop)
        log.info("training %s of %s weights on %s", f"{fit.trained:,}", f"{prepared.base.parameters:,}", fit.device)
        if counters.step:
            log.info("going on after step %d", counters.step)
        _use_frozen_output(fit, settings, status)
        recorder = Recorder(run, fit, status, counters, lambda: _keep(fit, prepared, run))
        status.update(stage="training")
        try:
            return Loop(fit, prepared, counters, recorder, *heard).run()
        except Interrupted:
            status.update(state="stopping", stage="saving a checkpoint")
            recorder.checkpoint()
            raise
        finally:
            recorder.close()
            status.note(train_seconds=round(recorder.seconds, 2))


def _begun(run: Run, prepared: Prepared, stop: StopFlag) -> tuple[Fit, Counters]:
    """The model at the run's newest checkpoint that is whole, or at the beginning, and where that is."""
    base = prepared.base
    fit = Fit(prepared.config, base, prepared.training.examples, accelerator_for(base.device), stop)
    start = checkpoint.newest(run.folder)
    if start is None:
        return fit, Counters()
    fit.restore(start)
    return fit, start.counters


def _keep(fit: Fit, prepared: Prepared, run: Run) -> None:
    base = prepared.base
    save(fit.model, base.tokenizer, base.name, run.folder, prepared.config.method)


def _use_frozen_output(fit: Fit, settings: Settings, status: StatusWriter) -> None:
    """Compute frozen layers once where that pays and fits on the disk."""
    if fit.config.method != "last_k" or fit.config.epochs <= 1 or fit.accelerator.num_processes > 1:
        return
    size = HiddenStates.size(fit.model, fit.examples)
    settings.cache.mkdir(parents=True, exist_ok=True)
    if size * 1.2 > shutil.disk_usage(settings.cache).free:
        log.warning("the frozen layers are computed in every epoch: keeping their output takes %d MiB", size >> 20)
        return
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        fit.stop.check()
        status.note(stage=f"computing the frozen layers once: {done:,} of {len(fit.examples):,} examples")

    fit.keep_frozen_output(settings.cache, advance)


def _refuse_other(run: Run, prepared: Prepared) -> None:
    """A run goes on with the model and the data that it began with, or not at all."""
    base, data, differs = run.record.base_model, run.record.data, difference(run.record, prepared)
    if differs == "base" and base is not None:
        raise ModelError(
            f"{run.id} began with a base of SHA-256 {(base.sha256 or '')[:12]}…, but {base.id} here has "
            f"{prepared.base.sha256[:12]}…; start a new run."
        )
    if differs == "split" and data is not None:
        raise RunError(
            f"{run.id} began with split {(data.split_hash or '')[:12]}…, the data here give another; start a new run."
        )
