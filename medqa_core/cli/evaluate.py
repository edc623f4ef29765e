"""`evaluate`: base against fine-tuned on the run's test questions."""

from typing import Annotated, Literal

import typer

from medqa_core.cli.output import Advance, FreshFlag, JsonFlag, RunArgument, bars, print_json, say
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import listing
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.report.wording import int8 as cost_of_int8
from medqa_core.report.wording import verdict
from medqa_core.report.wording import with_sources as verdict_of_with_sources
from medqa_core.runs.artifacts.int8 import Int8Cost
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, Library, Precision
from medqa_core.runs.store.run_store import RunStore

_LIBRARIES: dict[str, Library] = {
    "training-answers": "training answers",
    "data-set": "data set",
    "other-documents": "other documents",
}


def evaluate(
    run: RunArgument,
    int8: Annotated[
        bool, typer.Option("--int8", help="Answer with 8-bit weights: faster, other answers; the protocol records it.")
    ] = False,
    int8_cost: Annotated[
        bool, typer.Option("--int8-cost", help="Measure only what 8-bit weights cost in quality; Ask shows it.")
    ] = False,
    keep_answers: Annotated[
        bool,
        typer.Option(
            "--keep-answers", help="Keep the answers of the last evaluation of these weights; measure all else again."
        ),
    ] = False,
    with_sources: Annotated[
        bool,
        typer.Option(
            "--with-sources",
            help="Also answer with passages of the training documents in the prompt; evaluates first if needed, or if "
            "--int8 or --fresh asks for it.",
        ),
    ] = False,
    questions: Annotated[
        int | None,
        typer.Option(min=1, help="Ask this many of the test questions, chosen at random, instead of all."),
    ] = None,
    library: Annotated[
        Literal["training-answers", "data-set", "other-documents"] | None,
        typer.Option(
            help="With --with-sources: what is searched. Default: the training answers; of an open-book run the other "
            "documents, where a question's own is hidden."
        ),
    ] = None,
    fresh: FreshFlag = False,
    grounded: Annotated[bool, typer.Option("--grounded", hidden=True, help="What 0.1 called --with-sources.")] = False,
    json: JsonFlag = False,
) -> None:
    """Ask both models the test questions and judge the difference.

    The report is written too. It can be interrupted: the next call resumes where this one stopped.
    """
    with_sources = with_sources or grounded
    if library is not None and not with_sources:
        raise InputError("--library goes with --with-sources.")
    others = {
        "--int8": int8,
        "--keep-answers": keep_answers,
        "--with-sources": with_sources,
        "--questions": questions is not None,
        "--fresh": fresh,
    }
    if int8_cost and any(others.values()):
        given = listing([flag for flag, there in others.items() if there])
        raise InputError(f"--int8-cost measures that cost alone: leave out {given}.")
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    if int8_cost:
        cost = measure_cost(opened, settings)
        print_json(cost.model_dump(mode="json")) if json else say(cost_of_int8.sentence(cost))
        return
    if keep_answers and int8:
        raise InputError("--keep-answers keeps the precision too: leave --int8 out.")
    if keep_answers or fresh or not with_sources or not _is_evaluated(opened, int8=int8):
        evaluation = measure(opened, settings, int8=int8, keep_answers=keep_answers, questions=questions, fresh=fresh)
    if with_sources:
        searched = _LIBRARIES.get(library or "")
        evaluation = measure_with_sources(opened, settings, questions, searched, keep_answers=keep_answers)
    if json:
        print_json(evaluation.model_dump(mode="json"))
    else:
        say(verdict.sentence(opened))
        if with_sources and evaluation.with_sources is not None:
            of_readers = evaluation.protocol.retrieval is not None
            say(verdict_of_with_sources.sentence(evaluation.with_sources, of_readers=of_readers))


def _is_evaluated(run: Run, *, int8: bool) -> bool:
    """Whether answers with passages can be added to what the run has; `int8`: only to an evaluation in int8."""
    evaluation = run.evaluation()
    if evaluation is None or run.predictions() is None:
        return False
    decoding = evaluation.protocol.decoding
    return not int8 or (decoding is not None and decoding.precision == "int8")


def measure(
    run: Run,
    settings: Settings,
    *,
    int8: bool = False,
    keep_answers: bool = False,
    questions: int | None = None,
    fresh: bool = False,
    told: Advance | None = None,
) -> Evaluation:
    """Evaluate `run` and write it up; with progress bars, or `told` how far it is."""
    from medqa_core.evaluation.evaluate import evaluate as evaluate_run

    with bars(told) as progress:
        precision: Precision = "int8" if int8 else "float32"
        evaluation = evaluate_run(
            run,
            settings,
            progress,
            precision=precision,
            keep_answers=keep_answers,
            questions=questions,
            fresh=fresh,
        )
    writer.write(run)
    return evaluation


def measure_with_sources(
    run: Run,
    settings: Settings,
    questions: int | None = None,
    library: Library | None = None,
    *,
    keep_answers: bool = False,
    told: Advance | None = None,
) -> Evaluation:
    """Answer the test questions of an evaluated run with passages and write it up, as `measure`."""
    from medqa_core.evaluation.with_sources import evaluate_with_sources

    with bars(told) as progress:
        evaluation = evaluate_with_sources(
            run, settings, progress, questions=questions, library=library, keep_answers=keep_answers
        )
    writer.write(run)
    return evaluation


def measure_cost(run: Run, settings: Settings, told: Advance | None = None) -> Int8Cost:
    """What int8 costs, and the write-up's manifest renewed, as `measure`."""
    from medqa_core.evaluation.int8 import measure_int8

    with bars(told) as progress:
        cost = measure_int8(run, settings, progress)
    writer.write(run)
    return cost
