"""`evaluate`: base against fine-tuned on the run's test questions."""

from typing import Annotated

import typer

from medqa_core.cli.output import Bars, JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.settings import Settings
from medqa_core.report import verdict, writer
from medqa_core.runs.evaluation import Evaluation
from medqa_core.runs.store import Run, RunStore


def evaluate(
    run: RunArgument,
    int8: Annotated[
        bool, typer.Option("--int8", help="Answer with 8-bit weights: faster, other answers; the protocol says so.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Measure base and fine-tuned model on the same test questions, judge the difference, write it up.

    Interrupt it as you like: the next call goes on where this one was.
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    evaluation = measure(opened, settings, int8=int8)
    if json:
        print_json(evaluation.model_dump(mode="json"))
    else:
        say(verdict.sentence(opened))


def measure(run: Run, settings: Settings, *, int8: bool = False) -> Evaluation:
    """Evaluate `run` with progress bars, and write it up."""
    from medqa_core.evaluation.evaluate import evaluate as evaluate_run

    with Bars() as progress:
        evaluation = evaluate_run(run, settings, progress, precision="int8" if int8 else "float32")
    writer.write(run)
    return evaluation
