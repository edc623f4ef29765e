"""`report`: the report of a run, in four formats."""

from pathlib import Path
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.report.archive import members, write_archive
from medqa_core.report.templates import answers as some_answers
from medqa_core.runs.store.run_store import RunStore

ZipOption = Annotated[
    Path | None,
    typer.Option("--zip", metavar="FILE", help="Also pack the whole run folder, weights included, into one ZIP."),
]


AnswersOption = Annotated[
    int | None,
    typer.Option("--answers", min=1, metavar="N", help="Only print N answers of both models, drawn at random."),
]


def report(run: RunArgument, zip: ZipOption = None, answers: AnswersOption = None, json: JsonFlag = False) -> None:
    """Write a run's report, from its folder alone.

    summary.txt, summary.md and summary.html, and README.md, a model card.
    """
    found = RunStore(Settings.from_environment().reports).open(run)
    if answers is not None:
        if zip is not None or json:
            raise InputError("--answers prints Markdown and writes nothing: leave --zip and --json out.")
        typer.echo(some_answers.render(found, answers), nl=False)
        return
    if zip is not None and zip.resolve().is_relative_to(found.folder.resolve()):
        raise InputError("the ZIP would lie in the run folder and pack itself; name a file outside it.", field="--zip")
    if zip is not None and (zip.is_dir() or not zip.name):
        raise InputError(f"{zip} is a folder; name a file, such as {found.id}.zip.", field="--zip")
    written = writer.write(found)
    packed: list[str] = []
    if zip is not None:
        try:
            write_archive(found, zip)
        except OSError as error:
            raise InputError(f"{zip.name} cannot be written: {error.strerror or error}.", field="--zip") from error
        packed = members(found)
    if json:
        answer: dict[str, object] = {"run": run, "written": [path.name for path in written]}
        print_json(answer if zip is None else answer | {"zip": str(zip), "packed": packed})
        return
    for path in [*written, *([zip] if zip is not None else [])]:
        say(str(path))
