"""Whether a run's figures still follow from its files, its data and its models: every check that can be made."""

from collections.abc import Callable, Iterator

from medqa_core.evaluation.verify_data import RunData, content_outcome, scores_outcome, split_outcome
from medqa_core.evaluation.verify_files import (
    Outcome,
    WriteUps,
    evaluation_outcome,
    judge_outcome,
    manifest_outcome,
    mmlu_outcome,
    settings_outcome,
    training_record_outcome,
    was_judged,
    write_ups_outcome,
)
from medqa_core.evaluation.verify_models import (
    RunModels,
    ValidatedOn,
    base_answers_outcome,
    base_weights_outcome,
    test_losses_outcome,
    validation_loss_outcome,
    weights_outcome,
)
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, ModelUnavailable
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.visible import plain
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import Check


def verify(
    run: Run,
    settings: Settings,
    progress: Progress = silent,
    write_ups: WriteUps | None = None,
    validated_on: ValidatedOn | None = None,
) -> list[Check]:
    """Check `run` against itself, its data and its models; nothing is written.

    A check that cannot be made has `passed` None and says why. None raises: a damaged file is what they are for.

    Args:
        progress: is called with what is checked next.
        write_ups: what renders a run's write-ups, by the names of their files; without it they are not compared.
        validated_on: what makes the validation examples of task `open_book`, whose passages the training looks up.
    """
    stated = run.record.imported.checks if run.record.imported else []
    source = [Check(name=f"source: {one.name}", passed=one.passed, detail=one.detail) for one in stated]
    if run.record.figures_are_reported:
        return _reported(run, source)
    return source + [
        Check(name=name, passed=passed, detail=plain(detail)[:1000])
        for name, (passed, detail) in _outcomes(run, settings, progress, write_ups, validated_on)
    ]


def _reported(run: Run, source: list[Check]) -> list[Check]:
    why = "imported: its figures are the source's; no data, answers or weights came with them"
    passed, detail = manifest_outcome(run)
    checks = [Check(name="manifest", passed=passed, detail=plain(detail)[:1000]), *source]
    return checks + [Check(name=name, passed=None, detail=why) for name in NAMES[1:]]


NAMES = (
    "manifest",
    "training record",
    "settings",
    "evaluation.json",
    "MMLU accuracies",
    "answer scores",
    "content and controls",
    "split",
    "write-ups",
    "weights",
    "base weights",
    "base answers",
    "validation loss",
    "test losses",
)
"""Every check, in the order in which they are made; after the scores comes `judge model` where one was asked."""


def _outcomes(
    run: Run, settings: Settings, progress: Progress, write_ups: WriteUps | None, validated_on: ValidatedOn | None
) -> Iterator[tuple[str, Outcome]]:
    evaluation, rows, answers = run.evaluation(), run.predictions(), run.mmlu_answers()

    def made(name: str, check: Callable[[], Outcome]) -> tuple[str, Outcome]:
        progress(name)
        return name, _safe(check)

    yield made("manifest", lambda: manifest_outcome(run))
    yield made("training record", lambda: training_record_outcome(run))
    yield made("settings", lambda: settings_outcome(run))
    yield made("evaluation.json", lambda: evaluation_outcome(run, evaluation, rows, answers))
    yield made("MMLU accuracies", lambda: mmlu_outcome(run, answers))
    data = RunData(run, settings)
    yield made("answer scores", lambda: scores_outcome(run, rows, evaluation, data))
    yield made("content and controls", lambda: content_outcome(run, rows, evaluation, data))
    if was_judged(run):
        yield made("judge model", lambda: judge_outcome(run))
    yield made("split", lambda: split_outcome(run, evaluation, rows, data))
    yield made("write-ups", lambda: write_ups_outcome(run, write_ups))
    yield made("weights", lambda: weights_outcome(run, evaluation))
    yield made("base weights", lambda: base_weights_outcome(run, evaluation, settings))
    models = RunModels(run, settings)
    yield made("base answers", lambda: base_answers_outcome(run, models, settings))
    yield made("validation loss", lambda: validation_loss_outcome(run, data, models, validated_on))
    yield made("test losses", lambda: test_losses_outcome(run, evaluation, rows, data, models, settings))


def _safe(check: Callable[[], Outcome]) -> Outcome:
    try:
        return check()
    except (DataUnavailable, InputError, ModelUnavailable) as error:
        return None, str(error)
    except (MedQAError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        return False, str(error) or type(error).__name__
