"""`replay`: train the first steps of a run again."""

from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import RunStore


class NotReplayed(MedQAError):
    """A replayed loss differs from the logged one."""


def replay(
    run: RunArgument,
    steps: Annotated[int, typer.Option(help="How many steps, from the first one.")] = 5,
    json: JsonFlag = False,
) -> None:
    """Train a run's first steps again and compare the losses.

    In memory. Exits with 1 if a loss is not the same to the last bit: another processor or another version of torch
    rounds differently.
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    from medqa_core.training.replay import replay as again

    done = []
    for one in again(opened, settings, steps, note):
        done.append(one)
        if not json:
            logged = "not logged" if one.logged is None else f"{one.logged:.9f}"
            mark = {True: "same", False: "DIFFERENT", None: "nothing to compare with"}[one.same]
            say(f"step {one.step:>6}  logged {logged:>14}  replayed {one.replayed:.9f}  {mark}")
    different = [one for one in done if one.same is False]
    if json:
        rows = [{"step": o.step, "logged": o.logged, "replayed": o.replayed, "same": o.same} for o in done]
        print_json({"run": run, "steps": rows, "same": not different})
    if different:
        largest = max(abs((one.logged or 0.0) - one.replayed) for one in different)
        raise NotReplayed(
            f"{len(different)} of {len(done)} losses differ, by up to {largest:.2g}. "
            f"{run} was trained with torch {opened.record.environment.torch} on "
            f"{opened.record.environment.threads} threads; the same version and processor give the same losses."
        )
