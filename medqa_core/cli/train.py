"""`train`: a new fine-tune, here or in the background, or a resumed one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Annotated

import typer

from medqa_core.cli.evaluate import measure
from medqa_core.cli.output import Bars, JsonFlag, SetOption, note, print_json, say, say_end
from medqa_core.cli.signals import ending, requesting
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import duration, percent
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device, explanation, launch, queue
from medqa_core.jobs.diagnosis import saved_progress
from medqa_core.report.wording import verdict
from medqa_core.runs.artifacts.job import evaluates
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig, parse_assignments
from medqa_core.runs.schema.estimate import ComputedMemory, Estimate
from medqa_core.runs.schema.presets import CUSTOM, DEFAULT, PRESETS, from_preset, own_data
from medqa_core.runs.status_writer import is_main
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.stop import StopFlag


def train(
    preset: Annotated[
        str | None, typer.Option(help=f"Where to start from: {', '.join([*PRESETS, CUSTOM])}. Default: {DEFAULT}.")
    ] = None,
    set_: SetOption = None,
    train_file: Annotated[
        str | None,
        typer.Option("--train", metavar="DATA", help="Data of your own; sizes fit by themselves unless they are set."),
    ] = None,
    test_file: Annotated[
        str | None, typer.Option("--test", metavar="DATA", help="Test questions of their own, instead of a part.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Id of the new run; default: the preset's name.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Resume a stopped, failed, lost or queued run with its own configuration."),
    ] = None,
    background: Annotated[
        bool, typer.Option("--background", help="Add it to the queue; a process of its own trains and evaluates it.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Evaluate the run and write its reports when done.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Estimate time and memory from a few steps, and stop.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the configuration and stop.")] = False,
    worker: Annotated[bool, typer.Option("--worker", hidden=True)] = False,
    json: JsonFlag = False,
) -> None:
    """Fine-tune a model.

    The run folder is written during training. Ctrl-C saves a checkpoint and stops; --resume continues from it. A second
    Ctrl-C stops at once. With --background the run outlives this terminal: `runs` shows its progress, and `stop` stops
    it.
    """
    settings = Settings.from_environment()
    if resume is not None:
        if preset is not None or set_ or train_file or test_file or run_id is not None or show or estimate:
            raise InputError(
                "a resumed run keeps its id and configuration; leave out --preset, --set, --train, --test, "
                "--run-id, --show and --estimate, or start a new run without --resume.",
                field="--resume",
            )
        run = RunStore(settings.reports).open(resume)
        if background:
            _in_background(queue.enqueue(run, settings), settings, json=json)
        else:
            _foreground(settings, run=run, evaluate=evaluate, worker=worker, json=json)
        return
    if estimate and background:
        raise InputError("--estimate runs here and now: leave out --background, or --estimate to start the run.")
    own = own_data(train_file, test_file)
    config = from_preset(preset or DEFAULT, own | parse_assignments(set_ or []))
    if show:
        print_json(config.model_dump(mode="json"))
    elif estimate:
        _estimate(config, settings, aloud=worker, json=json)
    elif background:
        _in_background(queue.submit(config, settings, run_id=run_id), settings, json=json)
    else:
        _foreground(settings, config=config, run_id=run_id, evaluate=evaluate, json=json)


def _in_background(submission: queue.Submission, settings: Settings, *, json: bool) -> None:
    """Say which run it is, and start it where the device is free."""
    started = launch.advance(settings)
    run = submission.run
    if json:
        print_json({"run": run.id, "new": submission.new, "started": run.id in started})
        return
    if not submission.new:
        say(f"{run.id} already has this configuration and is {run.state()}; no second run was started.")
    else:
        say(f"{run.id}: {'started' if run.id in started else 'queued'}.")
    say(f"Watch it: {PROGRAM} runs · Stop it: {PROGRAM} stop {run.id}")


def _estimate(config: TrainConfig, settings: Settings, *, aloud: bool, json: bool) -> None:
    """Estimate and print. `aloud`: progress also where standard error is no terminal."""
    stop = StopFlag()
    with device.hold(settings, None, doing="measuring"), requesting(stop):
        from medqa_core.training.estimate import estimate

        found = estimate(config, settings, (lambda text: typer.echo(text, err=True)) if aloud else note, stop)
    if json:
        print_json(found.model_dump(mode="json"))
    else:
        for line in _lines(found):
            say(line)


def _foreground(
    settings: Settings,
    *,
    config: TrainConfig | None = None,
    run: Run | None = None,
    run_id: str | None = None,
    evaluate: bool,
    worker: bool = False,
    json: bool,
) -> None:
    """Train in this process: a new run of `config`, or `run` resumed. Then the next queued run starts."""
    try:
        with _device(settings, run, run_id, worker=worker) as held:
            stop = StopFlag()
            claim = launch.claimed(run, settings, worker=worker) if run is not None and held else nullcontext()
            with claim, requesting(stop), Bars() as bars:

                def on_step(step: int, total: int, loss: float) -> None:
                    bars("training", step, total, f"loss {loss:.4f}")

                trained = _train(settings, config, run, run_id, on_step, stop)
            evaluate = evaluate or (run is not None and evaluates(trained.folder))
            if held is not None and evaluate and trained.state() == "completed":
                held.update("evaluating", trained.id)
                with ending():
                    measure(trained, settings)
    except launch.LeftQueue as left:
        say(str(left))
        return
    finally:
        if is_main():
            launch.advance(settings)
    if is_main():
        say_end(trained, json=json)
        if not json:
            _say_next(trained, evaluated=evaluate)


def _train(
    settings: Settings,
    config: TrainConfig | None,
    run: Run | None,
    run_id: str | None,
    on_step: Callable[[int, int, float], None],
    stop: StopFlag,
) -> Run:
    from medqa_core.training import train as training

    if run is not None:
        return training.resume(run, settings, progress=note, on_step=on_step, stop=stop)
    assert config is not None
    return training.train(config, settings, run_id=run_id, progress=note, on_step=on_step, stop=stop)


def _say_next(run: Run, *, evaluated: bool) -> None:
    if run.state() == "stopped":
        status = run.status()
        if status is not None:
            say(explanation.kept(saved_progress(run, status)))
        say(f"Next: {explanation.resume_command(run)}")
    elif not evaluated:
        say(f"Next: {PROGRAM} evaluate {run.id}")
    elif run.state() == "completed":
        say(verdict.sentence(run))


def _lines(estimate: Estimate) -> list[str]:
    seconds = estimate.train_seconds
    span = " to ".join(duration(value) for value in (seconds.low, seconds.high))
    precision = f" in {estimate.precision}" if estimate.precision else ""
    return [
        f"time       {duration(seconds.middle)} on {estimate.device}{precision} ({span}), evaluation not counted",
        f"memory     {estimate.memory / 2**30:.1f} of {estimate.memory_total / 2**30:.1f} GiB",
        *([f"computed   {_parts(estimate.computed)}"] if estimate.computed is not None else []),
        f"steps      {estimate.steps:,}",
        f"tokens     {estimate.tokens:,}, {estimate.tokens_per_second:,.0f} per second",
        f"truncated  {percent(estimate.truncated_share)} of the training examples",
    ]


def _parts(computed: ComputedMemory) -> str:
    """The computed peak and what takes it."""
    parts = [(name, getattr(computed, name)) for name in type(computed).model_fields]
    listed = ", ".join(f"{name} {value / 2**30:.1f}" for name, value in parts if value)
    return f"{computed.total / 2**30:.1f} GiB from the model's shapes: {listed}"


@contextmanager
def _device(settings: Settings, run: Run | None, run_id: str | None, *, worker: bool) -> Iterator[device.Holder | None]:
    """The device; a worker waits for it, and a person is told that it is busy."""

    def wait() -> None:
        if run is not None:
            launch.note_stage(run, settings, "waiting for the device")

    if not is_main():  # the first of the processes that train together holds it for all of them
        yield None
        return
    with device.hold(settings, run.id if run else run_id, waiting=wait if worker else None) as held:
        yield held
