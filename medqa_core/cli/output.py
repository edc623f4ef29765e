"""What the verbs share: options, JSON output, notes and progress on standard error."""

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from medqa_core.foundation.files import dumps
from medqa_core.foundation.progress import DOWNLOAD
from medqa_core.foundation.visible import escaped, visible
from medqa_core.report.wording.outcome import outcome_lines
from medqa_core.report.wording.stages import stage_text
from medqa_core.runs.run import Run

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text.")]
FreshFlag = Annotated[
    bool,
    typer.Option("--fresh", help="Ask the base anew too; without, what it gave for other runs comes from the cache."),
]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run; `runs` lists them.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override a field of the configuration; may be repeated."),
]


def say(text: str) -> None:
    """A line of the answer, on standard output; what a run or a model says moves no cursor there."""
    typer.echo(visible(text))


def note(text: str) -> None:
    """A line about progress, on standard error where someone watches it; elsewhere only errors stand there."""
    if sys.stderr.isatty():
        typer.echo(visible(text), err=True)


def print_json(value: Any) -> None:
    """`value` as indented strict JSON."""
    typer.echo(escaped(dumps(value, indent=2)))


def say_end(run: Run, *, json: bool) -> None:
    """How the training of `run` ended; an error is part of it."""
    status, outcome = run.status(), run.snapshot().outcome
    if json:
        stated = status.model_dump(mode="json") if status else None
        print_json({"run": run.id, "status": stated, "outcome": asdict(outcome)})
    elif status is not None:
        best = status.best
        lowest = f"; lowest validation loss {best.validation_loss:.4f} at step {best.step}" if best else ""
        say(f"{run.id}: {run.state()} after {status.step} of {status.total_steps} steps{lowest}.")
        if status.error:
            say(status.error)
        for line in outcome_lines(outcome) if run.state() == "completed" else ():
            say(line)


class Advance(Protocol):
    """How far a stage is: `done` of `total`, and a word about it."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Move the stage's bar."""


class Bars:
    """A progress bar a stage on standard error; nothing is written there when it is not a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Advance:
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _advance(self, stage: str, done: int, total: int, note: str = "") -> None:
        if stage == DOWNLOAD:  # whose library draws a bar of its own
            return
        if not self._tasks:  # not before: an error comes without an empty line
            self._progress.start()
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage_text(stage), total=total, note="")
        self._progress.update(self._tasks[stage], completed=done, note=note)


def bars(told: Advance | None) -> AbstractContextManager[Advance]:
    """Progress bars where a person waits; where a task's status does, what tells that."""
    return Bars() if told is None else nullcontext(told)
