"""`import`: a run that another tool made, as a run of kind `imported`; with --data its model too."""

from pathlib import Path
from typing import Annotated

import typer

from medqa_core.cli.output import Advance, JsonFlag, bars, note, print_json, say
from medqa_core.cli.signals import ending
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.progress import Progress
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.imports import ImportRequest, import_request
from medqa_core.report import writer
from medqa_core.runs.importers import import_path
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

COLUMNS = "question=COLUMN,answer=COLUMN"


def import_(
    path: Annotated[
        Path,
        typer.Argument(
            help="A Trainer output folder, lm-eval results, an Inspect log, a curve, a summary; with --data a "
            "model: a folder or a hub id."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(help="Import the model too, to be asked these questions: `medquad`, a file or a hub id."),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="With --data: of a hub model, a commit, tag or branch. Default: the newest.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="With --data: the model it was trained from or is compared with. Default: as it names."),
    ] = None,
    base_revision: Annotated[str | None, typer.Option(help="Of a --base on the hub.")] = None,
    trained_on: Annotated[
        str | None,
        typer.Option(
            help="With --data: the data that the model was trained on. Without it leaks and copies cannot be seen."
        ),
    ] = None,
    test_size: Annotated[
        str | None,
        typer.Option(help="With --data: this many of its questions, or a fraction; chosen at random. Default: all."),
    ] = None,
    columns: Annotated[str | None, typer.Option(metavar=COLUMNS, help="The columns of a --data file.")] = None,
    trained_on_columns: Annotated[
        str | None, typer.Option(metavar=COLUMNS, help="The columns of a --trained-on file.")
    ] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="With --data: longest answer in tokens. Default: 128.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Id of the new run.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the new run.")] = None,
    json: JsonFlag = False,
) -> None:
    """Import a run that another tool made.

    The new run says what the source states, what it leaves out, and which checks it passes. With --data its model comes
    along: whole weights or a LoRA adapter, as safetensors. Then evaluate, mmlu, ask, verify and report work as for runs
    made here. Two models with one tokenizer can be compared without any training: `import MODEL --base OTHER --data
    DATA`.
    """
    settings = Settings.from_environment()
    request = import_request(
        {
            "path": path,
            "title": title,
            "dataset": data,
            "columns": columns,
            "trained_on": trained_on,
            "trained_on_columns": trained_on_columns,
            "test_size": test_size,
            "max_new_tokens": max_new_tokens,
            "revision": revision,
            "base": base,
            "base_revision": base_revision,
        }
    )
    with ending():
        run = bring(request, settings, run_id=run_id, progress=note)
        writer.write(run)
    print_json(run.record.model_dump(mode="json")) if json else _tell(run, path)


def bring(
    request: ImportRequest,
    settings: Settings,
    *,
    run_id: str | None = None,
    progress: Progress,
    told: Advance | None = None,
) -> Run:
    """The run that is made of what is asked for; it has no write-up yet. Raises as `import_path` and `import_model`."""
    if request.questions is None:
        return import_path(request.path, RunStore(settings.reports), run_id=run_id, title=request.title)
    from medqa_core.models.incoming.import_model import import_model

    with bars(told) as steps:
        return import_model(
            request.path,
            request.questions,
            settings,
            revision=request.revision,
            base=request.base,
            base_revision=request.base_revision,
            run_id=run_id,
            title=request.title,
            progress=progress,
            steps=steps,
        )


def _tell(run: Run, path: Path) -> None:
    imported = run.record.imported
    say(f"{run.id}: imported{', with its model' if imported and imported.model else ''}.")
    if imported is None:
        return
    marks = {True: "passed", False: "FAILED", None: "cannot be checked"}
    for check in imported.checks:
        say(f"  {marks[check.passed]:<18} {check.name}: {check.detail}")
    for said in imported.notes:
        say(f"  {'note':<18} {said}")
    for missing in imported.missing:
        say(f"  {'not stated':<18} {missing}")
    for line in imported.model.notes if imported.model else ():
        say(f"  {'note':<18} {line}")
    if imported.model is not None:
        if not run.record.training_set_known:
            say("  What it was trained on is not known: leaks cannot be excluded. Name it with --trained-on.")
        say(f"Next: {PROGRAM} evaluate {run.id}")
        return
    from medqa_core.models.incoming.found import holds_weights

    if holds_weights(path):
        say(f"Its figures came, its model did not: {PROGRAM} import {path} --data DATA takes the model too.")
