"""Evaluate a run: both models answer every test question; losses, scores and verdicts go to the run folder."""

import math
from collections.abc import Sequence

import pandas as pd

from medqa_core.answering.engine import decoding_of
from medqa_core.data import lookup, sources
from medqa_core.data.overlap import COPIED_RUN
from medqa_core.data.pairs import QAPair, references_of
from medqa_core.data.split import Split, split_pairs
from medqa_core.evaluation.judge import RESAMPLES
from medqa_core.evaluation.loss import answer_losses, mean_loss
from medqa_core.evaluation.measure import Questions, measure
from medqa_core.evaluation.partial import Partial
from medqa_core.evaluation.partial_protocol import fingerprint, rows_of_schema_1
from medqa_core.evaluation.rows import generation, prediction_rows
from medqa_core.evaluation.rule import LEVEL, VERSION
from medqa_core.evaluation.tables import OTHERWISE, judged
from medqa_core.evaluation.with_sources_rows import judged_again
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.predictions import write_predictions
from medqa_core.runs.reading import read_model
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.evaluation import (
    HOLM,
    BaseLosses,
    Correction,
    Decoding,
    Evaluation,
    MMLUProtocol,
    Precision,
    PromptKind,
    Protocol,
    Resampling,
    Rouge,
    TokenF1,
    WithSources,
)
from medqa_core.runs.schema.status import LIVE

PARTIAL = ".evaluation.jsonl"
"""What is measured so far, in the run folder; gone when the evaluation is whole."""
JUDGED_BY = {
    "resampling": Resampling(level=LEVEL, number=RESAMPLES),
    "correction": Correction(
        over=("secondary metrics", "question types", "sources"),
        level_without_primary=round((1 - LEVEL) / OTHERWISE, 4),
    ),
}
"""What the protocol says of intervals, p-values and verdicts."""
PROMPT_SAMPLE = 32
"""Validation questions on which the base is tried with each prompt."""


def evaluate(
    run: Run, settings: Settings, progress: StageProgress = silent, *, precision: Precision = "float32"
) -> Evaluation:
    """Measure and judge `run`; writes predictions.parquet, then evaluation.json.

    An interrupted evaluation resumes where it stopped: every batch of questions is kept in the run folder.

    Args:
        precision: `int8` answers faster and with other tokens; `protocol.decoding` says so.

    Raises:
        InputError: an imported run, which has nothing to evaluate, or one that is still being trained.
        ModelError: its models cannot be loaded.
        DataUnavailable: the data set is not available, or is not the one that the run was trained on.
    """
    config = checked(run)
    pairs, parts = same_split(run, settings)
    variants = load_variants(run, settings)
    decoding = decoding_of(variants, settings, config.max_new_tokens, precision)
    protocol = _protocol(config, variants, decoding)
    questions = Questions.of(variants, parts.test, variants.prompt, config.max_tokens)
    begun = fingerprint(protocol, split=parts.hash)
    with Partial(run.folder / PARTIAL, begun, older=rows_of_schema_1) as partial:
        base_losses = _base_losses(variants, parts.validation, config, partial)
        measured = {
            variant: measure(
                variants,
                variant,
                questions,
                config.max_new_tokens,
                settings,
                partial,
                precision=precision,
                progress=progress,
            )
            for variant in VARIANTS
        }
    progress("scores and copies", 0, 1)
    rows = prediction_rows(variants, parts, questions, measured, references_of(parts.test, pairs))
    evaluation = _with_verdicts(
        Evaluation(
            primary_metric=config.primary_metric,
            metrics={},
            base_generation=generation(rows, "base", parts.test, measured["base"].answer_seconds, variants.prompt),
            fine_tuned_generation=generation(
                rows, "fine_tuned", parts.test, measured["fine_tuned"].answer_seconds, variants.prompt
            ),
            protocol=protocol.model_copy(update={"base_losses": base_losses}),
            with_sources=_with_sources(run, protocol),
            seconds=round(sum(one.loss_seconds + one.answer_seconds for one in measured.values()), 1),
        ),
        rows,
        _same_weights(run, protocol),
        run.with_sources(),
    )
    discard_manifest(run.folder)
    write_predictions(run.folder, rows)
    write_json(run.folder / "evaluation.json", evaluation.model_dump(mode="json"))
    partial.discard()
    progress("scores and copies", 1, 1)
    return evaluation


def judge_again(run: Run) -> Evaluation:
    """Judge what was measured earlier once more, MMLU included where the run has it; replaces evaluation.json.

    MMLU answers of other weights than the evaluation's do not count. Where predictions.parquet cannot be read, what
    was judged from it stays as it is.

    Raises:
        InputError: an imported run, or one of which nothing was measured.
        RunError: evaluation.json cannot be read.
    """
    config = checked(run)
    before = Evaluation(primary_metric=config.primary_metric, metrics={})
    if (run.folder / "evaluation.json").exists():
        before = read_model(run.folder, "evaluation.json", Evaluation)
    rows, mmlu = run.predictions(), _same_weights(run, before.protocol)
    if rows is None and mmlu is None:
        raise InputError(f"{run.id} has not been measured: there is nothing to judge.")
    evaluation = _with_verdicts(before, rows, mmlu, run.with_sources())
    discard_manifest(run.folder)
    write_json(run.folder / "evaluation.json", evaluation.model_dump(mode="json"))
    return evaluation


def _same_weights(run: Run, protocol: Protocol) -> tuple[pd.DataFrame, MMLUProtocol] | None:
    """The run's MMLU answers and how they were asked for; None where there are none of the weights of `protocol`."""
    answers, results = run.mmlu_answers(), run.mmlu()
    if answers is None or results is None or protocol.fine_tuned_sha256 not in (None, results.fine_tuned_sha256):
        return None
    if len({protocol.fine_tuned_config_sha256, results.fine_tuned_config_sha256} - {None}) > 1:
        return None
    return answers, results.protocol


def _with_sources(run: Run, protocol: Protocol) -> WithSources | None:
    """What an earlier evaluation says of answers with sources, if it was of the same weights and decoded alike."""
    before = run.evaluation()
    if before is None or before.with_sources is None or not protocol.comparable(before.with_sources.protocol):
        return None
    return before.with_sources


def checked(run: Run) -> TrainConfig:
    """The configuration of a run that can be measured.

    Raises:
        InputError: an imported run, or one that is still being trained.
    """
    config = run.record.config
    if config is None:
        raise InputError(f"{run.id} is an imported run: its figures are the source's and cannot be measured again.")
    if run.state() in LIVE:
        raise InputError(f"{run.id} is still {run.state()}: its weights may yet change. Evaluate it when it has ended.")
    return config


def same_split(run: Run, settings: Settings) -> tuple[Sequence[QAPair], Split]:
    """All pairs of the run's data set, and its split of them.

    Raises:
        DataUnavailable: the data set is not available, or is not the one that the run was trained on.
    """
    config = checked(run)
    data = sources.load(config.dataset, settings, config.columns)
    parts = split_pairs(data.pairs, config)
    lookup.check_split(run.record, data, parts)
    return data.pairs, parts


def _with_verdicts(
    evaluation: Evaluation,
    rows: pd.DataFrame | None,
    mmlu: tuple[pd.DataFrame, MMLUProtocol] | None,
    with_sources: pd.DataFrame | None,
) -> Evaluation:
    answers, asked = mmlu or (None, evaluation.protocol.mmlu)
    found = judged(rows, evaluation.primary_metric, answers)
    protocol = evaluation.protocol.model_copy(update={"mmlu": asked})
    if rows is None:
        metrics = {**evaluation.metrics, **found.metrics}
        return evaluation.model_copy(update={"metrics": metrics, "protocol": protocol})
    return evaluation.model_copy(
        update={
            "rule": VERSION,
            "protocol": protocol.model_copy(update=JUDGED_BY),
            "metrics": found.metrics,
            "by_question_type": found.by_question_type,
            "by_question_type_correction": HOLM,
            "by_source": found.by_source,
            "clean": found.clean,
            "with_sources": judged_again(evaluation.with_sources, rows, with_sources),
        }
    )


def _base_losses(
    variants: ModelVariants, validation: Sequence[QAPair], config: TrainConfig, partial: Partial
) -> BaseLosses:
    """The base's loss on validation questions under each prompt that the run's tokenizer knows."""
    kept = [row["base_losses"] for row in partial.rows if "base_losses" in row]
    if kept:
        return BaseLosses.model_validate(kept[0])
    kinds: tuple[PromptKind, ...] = ("chat", "plain") if variants.prompt == "chat" else ("plain",)
    sample = validation[:PROMPT_SAMPLE]
    by_prompt: dict[PromptKind, float | None] = {}
    with variants.using("base") as model:
        for kind in kinds:
            examples = Questions.of(variants, sample, kind, config.max_tokens).examples
            loss = round(mean_loss(answer_losses(model, examples)), 4)
            by_prompt[kind] = loss if math.isfinite(loss) else None
    losses = BaseLosses(by_prompt=by_prompt, questions=len(sample))
    partial.add([{"base_losses": losses.model_dump(mode="json")}])
    return losses


def _protocol(config: TrainConfig, variants: ModelVariants, decoding: Decoding) -> Protocol:
    return Protocol(
        prompt=variants.prompt,
        loss_tokens=config.max_tokens,
        decoding=decoding,
        rouge=Rouge(),
        token_f1=TokenF1(),
        copied_words=COPIED_RUN,
        base_sha256=variants.base.sha256,
        fine_tuned_sha256=variants.adapter_sha256,
        fine_tuned_config_sha256=variants.config_sha256,
    )
