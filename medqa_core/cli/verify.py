"""`verify`: whether a run's figures still follow from its files, its data and its models."""

from functools import partial
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.report.writer import rendered
from medqa_core.runs.artifacts.training_record import TRAINING
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

WORDS = {True: "ok", False: "FAILS", None: "cannot check"}


class NotVerified(MedQAError):
    """A check failed."""


def verify(
    run: RunArgument,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="First write the record of a training that left none (training.json, versions before 0.3). It says "
            "that it was made afterwards: it shows what is changed from now on.",
        ),
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Check a run's files, figures and models.

    Files against their checksums, figures against the rows they come from, variants against the models. Exits with 1 if
    a check fails; one that cannot be made here says why and does not count.
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    from medqa_core.evaluation.verify import verify as check
    from medqa_core.training.examples import validation_examples

    if record:
        _record(opened, settings)
    checks = check(opened, settings, note, rendered, partial(validation_examples, settings))
    failed = [one.name for one in checks if one.passed is False]
    if json:
        rows = [one.model_dump(mode="json") for one in checks]
        print_json({"run": run, "checks": rows, "passed": not failed})
    else:
        width = max(len(one.name) for one in checks)
        for one in checks:
            say(f"{WORDS[one.passed]:<12}  {one.name:<{width}}  {one.detail}")
    if failed:
        raise NotVerified(f"{run}: {len(failed)} of {len(checks)} checks fail: {', '.join(failed)}.")


def _record(run: Run, settings: Settings) -> None:
    """Write the record of a completed run that has none, and its write-ups and manifest anew."""
    from medqa_core.models.locate import locate
    from medqa_core.training.train import record_training

    status, base = run.status(), run.record.base_model
    if run.state() != "completed" or status is None or base is None:
        raise InputError(f"{run.id} is {run.state()}: only of a completed training a record can be made.")
    if (run.folder / TRAINING).exists():
        raise InputError(f"{run.id} has a record of its training already; it is not replaced.")
    folder = locate(base.id, base.revision, settings=settings, progress=note).folder
    record_training(run, folder, status.best, by="afterwards")
    writer.write(run)
