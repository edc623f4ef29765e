"""`train`: a fine-tune from a preset."""

import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from medqa_core.cli.evaluate import measure
from medqa_core.cli.output import JsonFlag, SetOption, note, print_json, say
from medqa_core.foundation.settings import Settings
from medqa_core.runs.config import parse_assignments
from medqa_core.runs.presets import PRESETS, from_preset


def train(
    preset: Annotated[str, typer.Option(help=f"Where to start from: {', '.join(PRESETS)}.")] = "starter",
    set_: SetOption = None,
    run_id: Annotated[str | None, typer.Option(help="Id of the new run; default: the preset's name.")] = None,
    evaluate: Annotated[bool, typer.Option("--evaluate", help="Evaluate the run and write it up when done.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the configuration and stop.")] = False,
    json: JsonFlag = False,
) -> None:
    """Fine-tune a model; the run folder is written as it goes.

    Ctrl-C stops after the step; the weights of the lowest validation loss so far are kept.
    """
    config = from_preset(preset, parse_assignments(set_ or []))
    if show:
        print_json(config.model_dump(mode="json"))
        return
    settings = Settings.from_environment()
    from medqa_core.training.train import train as fine_tune

    signal.signal(signal.SIGTERM, _interrupt)
    run = fine_tune(config, settings, run_id=run_id, progress=note, bar=sys.stderr.isatty())
    status = run.status()
    if evaluate and status is not None and status.state == "completed":
        measure(run, settings)
    if json:
        print_json({"run": run.id, "status": status.model_dump(mode="json") if status else None})
    elif status is not None:
        best = (
            f"; lowest validation loss {status.best.validation_loss:.4f} at step {status.best.step}"
            if status.best
            else ""
        )
        say(f"{run.id}: {status.state} after {status.step} of {status.total_steps} steps{best}.")
        if not evaluate:
            say(f"Next: python -m medqa_core evaluate {run.id}")


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
