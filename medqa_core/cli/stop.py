"""`stop`: stop a fine-tune so that it can be resumed."""

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
        bool, typer.Option("--force", help="Kill its process: steps after the last checkpoint are lost.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Stop a fine-tune; it saves a checkpoint first.

    `train --resume` continues from it. A queued run is removed from the queue; one that is being evaluated keeps its
    trained model.
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    said = stop_run(opened, settings, force=force)
    launch.advance(settings)
    if json:
        print_json({"run": run, "state": opened.state(), "message": said})
    else:
        say(said)
