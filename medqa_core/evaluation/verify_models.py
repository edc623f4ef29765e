"""Whether a run's figures are those of its weights: checksums, and losses computed once more."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from medqa_core.evaluation.chain import (
    BFLOAT16_TOLERANCE,
    LOSS_TOLERANCE,
    recorded_best,
    sample_problem,
    sampled,
    validation_problem,
)
from medqa_core.evaluation.measure import Questions
from medqa_core.evaluation.passages import read_for, shelf_of
from medqa_core.evaluation.proof import base_problem
from medqa_core.evaluation.verify_data import RunData
from medqa_core.evaluation.verify_files import Outcome
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.files import sha256
from medqa_core.foundation.progress import silent
from medqa_core.foundation.settings import Settings
from medqa_core.models import folders
from medqa_core.models.locate import locate
from medqa_core.models.prompt import Example
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.artifacts.mmlu import RESULTS
from medqa_core.runs.artifacts.weights import config_file
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation
from medqa_core.runs.schema.self_test import Failure

ValidatedOn = Callable[[Run, ModelVariants], Sequence[Example]]
"""What makes the validation examples of task `open_book`."""


class RunModels:
    """The run's two models, loaded when they are first needed."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run, self._settings = run, settings
        self._found: ModelVariants | MedQAError | None = None

    def variants(self) -> ModelVariants:
        """Both models.

        Raises:
            MedQAError: as `load_variants`, at each call.
        """
        if self._found is None:
            try:
                self._found = load_variants(self._run, self._settings)
            except MedQAError as error:
                self._found = error
        if isinstance(self._found, MedQAError):
            raise self._found
        return self._found


def weights_outcome(run: Run, evaluation: Evaluation | None) -> Outcome:
    """The weights that are there are those that were measured."""
    weights = run.weights_file()
    stated = evaluation.protocol.fine_tuned_sha256 if evaluation else None
    if weights is None:
        return None, "This run holds no adapter and no model."
    if stated is None:
        return None, "No evaluation says which weights were measured."
    sums = {f"{weights.parent.name}/{weights.name}": sha256(weights), "evaluation.json": stated}
    results, config = run.mmlu(), config_file(weights)
    asked = results.fine_tuned_sha256 if results else None
    same, detail = _equal(sums | ({RESULTS: asked} if asked else {}))
    measured = evaluation.protocol.fine_tuned_config_sha256 if evaluation else None
    if not same or measured is None:
        return same, detail if not same else f"{detail}; with which configuration, this evaluation does not say"
    sums = {f"{config.parent.name}/{config.name}": sha256(config), "evaluation.json": measured}
    asked = results.fine_tuned_config_sha256 if results else None
    fits, more = _equal(sums | ({RESULTS: asked} if asked else {}))
    return fits, f"{detail}; configuration {more}" if fits else more


def base_weights_outcome(run: Run, evaluation: Evaluation | None, settings: Settings) -> Outcome:
    """The base that is there is the one that was trained on and measured."""
    base = run.record.base_model
    measured = evaluation.protocol.base_sha256 if evaluation else None
    stated = {"run.json": base.sha256 if base else None, "evaluation.json": measured}
    known = {name: value for name, value in stated.items() if value}
    if base is None or not known:
        return None, "Neither run.json nor evaluation.json says which base weights these were."
    same, detail = _equal(known)
    if not same:
        return same, detail
    located = locate(base.id, base.revision, settings=settings)
    with TemporaryDirectory() as nothing_known:  # the checksums that the cache remembers may be out of date
        here = folders.weights_sha256(located.folder, located.name, Path(nothing_known))
    return _equal({**known, "the base here": here})


def _equal(sums: dict[str, str]) -> Outcome:
    if len(set(sums.values())) == 1:
        return True, f"{next(iter(sums.values()))[:12]}… in {', '.join(sums)}"
    return False, ", ".join(f"{name} has {value[:12]}…" for name, value in sums.items())


def base_answers_outcome(run: Run, models: RunModels, settings: Settings) -> Outcome:
    """The base variant is the base, and the fine-tuned variant is not."""
    problem = base_problem(models.variants(), settings)
    if problem is None:
        return True, "the base variant is bit for bit the base loaded alone, the fine-tuned variant is not"
    if problem.failure is Failure.NOTHING_CHANGED and run.snapshot().outcome.unchanged:
        return True, "both variants are bit for bit the base: its training changed nothing, as the run says"
    return False, f"{problem.failure.value} ({problem.question})" if problem.question else problem.failure.value


def validation_loss_outcome(run: Run, data: RunData, models: RunModels, validated_on: ValidatedOn | None) -> Outcome:
    """The weights have the validation loss that the training recorded."""
    config, stated = run.record.config, recorded_best(run)
    if config is None or stated is None:
        return None, "The run states no validation loss."
    if config.quantization != "none":
        return None, f"The training validated on a base in {config.quantization} weights, which are not computed here."
    variants = models.variants()
    if config.task == "open_book":
        if validated_on is None:
            return None, "The training validated on questions behind passages, which are not put together here."
        examples = validated_on(run, variants)
    else:
        asked = data.parts()[1].validation[: config.eval_examples]
        examples = Questions.of(variants, asked, variants.prompt, config.max_tokens).examples
    tolerance = LOSS_TOLERANCE if run.record.precision == "float32" else BFLOAT16_TOLERANCE
    found, problem = validation_problem(variants, examples[: config.eval_examples], stated[1], tolerance)
    return problem is None, problem or f"{found:.4f} nats per token computed from the weights, as step {stated[0]} says"


def test_losses_outcome(
    run: Run,
    evaluation: Evaluation | None,
    rows: pd.DataFrame | None,
    data: RunData,
    models: RunModels,
    settings: Settings,
) -> Outcome:
    """Both models have the losses that the rows state, on some of the test questions."""
    config = run.record.questions
    if rows is None or rows.empty or config is None:
        return None, "No losses of test questions are stored."
    tokens = evaluation.protocol.loss_tokens if evaluation else None
    known = data.by_id()
    if not set(rows["question_id"]) <= set(known):
        return None, "Its questions are not in the data set."
    some, variants = sampled(rows), models.variants()
    asked = [known[id_] for id_ in some["question_id"]]
    prompts: Sequence[str] = []
    if config.task == "open_book":
        shelf = shelf_of(run, config, settings, "data set")
        prompts, _ = read_for(variants, asked, shelf.search, config.max_new_tokens, silent)
    count, problem = sample_problem(variants, some, asked, tokens or config.max_tokens, prompts)
    return problem is None, problem or f"{count} losses of test questions computed from the models"
