"""What the verbs share: options, JSON output, notes and progress on standard error."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from medqa_core.foundation.files import dumps

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of a run; `runs` lists them.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Override a field of the configuration; may be repeated."),
]


def say(text: str) -> None:
    """A line of the answer, on standard output."""
    typer.echo(text)


def note(text: str) -> None:
    """A line about progress, on standard error where someone watches it; elsewhere only errors stand there."""
    if sys.stderr.isatty():
        typer.echo(text, err=True)


def print_json(value: Any) -> None:
    """`value` as indented strict JSON."""
    say(dumps(value, indent=2))


class Bars:
    """A progress bar a stage on standard error; nothing is written there when it is not a terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<20}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Callable[[str, int, int], None]:
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _advance(self, stage: str, done: int, total: int) -> None:
        if not self._tasks:  # not before: an error comes without an empty line
            self._progress.start()
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._tasks[stage], completed=done)
