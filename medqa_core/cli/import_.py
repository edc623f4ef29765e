"""`import`: a run that another tool made, as a run of kind `imported`."""

from pathlib import Path
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, print_json, say
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.runs.importers import import_path
from medqa_core.runs.store.run_store import RunStore


def import_(
    path: Annotated[Path, typer.Argument(help="A Trainer output folder, lm-eval results, or a summary text.")],
    run_id: Annotated[str | None, typer.Option(help="Id of the new run.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the new run.")] = None,
    json: JsonFlag = False,
) -> None:
    """Import a run that another tool made: what it states, what it leaves out, and which checks it passes."""
    run = import_path(path, RunStore(Settings.from_environment().reports), run_id=run_id, title=title)
    writer.write(run)
    imported = run.record.imported
    if json:
        print_json(run.record.model_dump(mode="json"))
        return
    say(f"{run.id}: imported.")
    if imported is None:
        return
    marks = {True: "passed", False: "FAILED", None: "cannot be checked"}
    for check in imported.checks:
        say(f"  {marks[check.passed]:<18} {check.name}: {check.detail}")
    for missing in imported.missing:
        say(f"  {'not stated':<18} {missing}")
