"""`stop`: end a fine-tune so that it can go on later."""

from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.stop import stop as stop_run
from medqa_core.runs.store.run_store import RunStore


def stop(
    run: RunArgument,
    force: Annotated[
        bool, typer.Option("--force", help="Kill its process: what came after the last checkpoint is lost.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Stop a fine-tune: it saves a checkpoint first, and `train --resume` goes on from there.

    A run that waits leaves the queue; one that is being evaluated stays trained.
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    said = stop_run(opened, settings, force=force)
    launch.advance(settings)
    if json:
        print_json({"run": run, "state": opened.state(), "message": said})
    else:
        say(said)
