"""`evaluate`: base against fine-tuned on the run's test questions."""

from medqa_core.cli.output import Bars, JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.settings import Settings
from medqa_core.report import verdict, writer
from medqa_core.runs.evaluation import Evaluation
from medqa_core.runs.store import Run, RunStore


def evaluate(run: RunArgument, json: JsonFlag = False) -> None:
    """Measure base and fine-tuned model on the same test questions, judge the difference, write it up."""
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    evaluation = measure(opened, settings)
    if json:
        print_json(evaluation.model_dump(mode="json"))
    else:
        say(verdict.sentence(opened))


def measure(run: Run, settings: Settings) -> Evaluation:
    """Evaluate `run` with progress bars, and write it up."""
    from medqa_core.evaluation.evaluate import evaluate as evaluate_run

    with Bars() as progress:
        evaluation = evaluate_run(run, settings, progress)
    writer.write(run)
    return evaluation
