"""`task`: what the queue starts to do what a page asked for. Not for people: each task has a command of its own."""

from collections.abc import Callable
from typing import Annotated

import typer

from medqa_core.cli.data import fetch_into_cache
from medqa_core.cli.evaluate import measure, measure_cost, measure_with_sources
from medqa_core.cli.import_ import bring
from medqa_core.cli.output import Advance
from medqa_core.cli.signals import ending
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device, launch
from medqa_core.jobs.imports import import_request
from medqa_core.jobs.queue import store_of
from medqa_core.jobs.task import Kind, Task
from medqa_core.jobs.task_worker import TaskProgress, working
from medqa_core.report import writer
from medqa_core.runs.run import Run


def task(task_id: Annotated[str, typer.Argument(metavar="TASK")]) -> None:
    """Do a queued task in this process and say in its status how far it is."""
    settings = Settings.from_environment()
    try:
        with working(task_id, settings) as progress, ending():
            _do(progress, settings)
            progress.end("done")
    finally:
        launch.advance(settings)


def _do(progress: TaskProgress, settings: Settings) -> None:
    """The work itself."""
    asked = progress.task
    if asked.kind == "import":
        progress.stage("reading")
        made = bring(import_request(asked.arguments), settings, progress=progress.stage, told=progress)
        progress.made(made.id)
        writer.write(made)
        return
    if asked.kind == "fetch":
        fetch_into_cache(asked.subject, settings, progress.stage, progress)
        return
    run = store_of(settings).open(asked.run or "")

    def waiting() -> None:
        progress.stage("waiting for the device")

    with device.hold(settings, run.id, doing=asked.kind, waiting=waiting):
        progress.stage("starting")
        WORK[asked.kind](run, asked, settings, progress)


def _evaluate(run: Run, asked: Task, settings: Settings, told: Advance) -> None:
    measure(run, settings, told=told)


def _with_sources(run: Run, asked: Task, settings: Settings, told: Advance) -> None:
    if run.evaluation() is None or run.predictions() is None:
        measure(run, settings, told=told)
    measure_with_sources(run, settings, told=told)


def _int8(run: Run, asked: Task, settings: Settings, told: Advance) -> None:
    measure_cost(run, settings, told)


def _mmlu(run: Run, asked: Task, settings: Settings, told: Advance) -> None:
    from medqa_core.evaluation.mmlu import measure_mmlu

    measure_mmlu(run, settings, scoring="auto", shots=0, progress=told)
    writer.write(run)


def _retrieval(run: Run, asked: Task, settings: Settings, told: Advance) -> None:
    from medqa_core.answering.retrieval.recall import measure_retrieval

    measure_retrieval(run, settings, told)
    writer.write(run)


def _judge(run: Run, asked: Task, settings: Settings, told: Advance) -> None:
    from medqa_core.evaluation.model_judge.address import AddressJudge
    from medqa_core.evaluation.model_judge.judging import ask, judge_of, plan

    judge = judge_of(settings)
    host = judge.host if isinstance(judge, AddressJudge) else ""
    if host != asked.arguments.get("host", ""):
        raise InputError(
            f"The judge is at {host or 'no address'} by now, which nobody has agreed to: nothing was sent. Ask again."
        )
    ask(run, judge, plan(run, settings, None), told)
    writer.write(run)


WORK: dict[Kind, Callable[[Run, Task, Settings, Advance], None]] = {
    "evaluate": _evaluate,
    "with_sources": _with_sources,
    "int8": _int8,
    "mmlu": _mmlu,
    "retrieval": _retrieval,
    "judge": _judge,
}
