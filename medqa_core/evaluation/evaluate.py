"""Evaluate a run: both models answer every test question; losses, scores and verdicts go to the run folder."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

import pandas as pd

from medqa_core.answering.engine import decoder_for, decoding_of
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.data import leakage, lookup
from medqa_core.data.overlap import COPIED_RUN
from medqa_core.data.pairs import QAPair, references_of
from medqa_core.data.preparation import data_for
from medqa_core.data.split import Split, split_pairs
from medqa_core.evaluation.base_memory import BaseMemory
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.controls import control_answers, controls_protocol, most_words, top_passages
from medqa_core.evaluation.controls_judged import judge_controls
from medqa_core.evaluation.judge import RESAMPLES
from medqa_core.evaluation.loss import answer_losses, mean_loss
from medqa_core.evaluation.measure import Answered, Questions, measure_answers, measure_losses
from medqa_core.evaluation.other_topic import SEED, other_topics
from medqa_core.evaluation.partial import Partial
from medqa_core.evaluation.partial_protocol import fingerprint, rows_of_today
from medqa_core.evaluation.passages import read_for, shelf_of
from medqa_core.evaluation.rows import Tested, generation, prediction_rows, references_of_rows
from medqa_core.evaluation.rule import LEVEL, VERSION
from medqa_core.evaluation.tables import OTHERWISE, judged
from medqa_core.evaluation.with_sources_rows import judged_again
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant, load_variants
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.predictions import write_predictions
from medqa_core.runs.reading import read_model
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import QuestionsConfig
from medqa_core.runs.schema.evaluation import (
    HOLM,
    BaseLosses,
    Correction,
    Decoding,
    Evaluation,
    MMLUProtocol,
    OtherTopicProtocol,
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
        parts_within_whole=True,
    ),
}
"""What the protocol says of intervals, p-values and verdicts."""
PROMPT_SAMPLE = 32
"""Validation questions on which the base is tried with each prompt."""


def evaluate(
    run: Run,
    settings: Settings,
    progress: StageProgress = silent,
    *,
    precision: Precision = "float32",
    keep_answers: bool = False,
    questions: int | None = None,
    fresh: bool = False,
) -> Evaluation:
    """Measure and judge `run`; writes predictions.parquet, then evaluation.json.

    An interrupted evaluation resumes where it stopped: every batch of questions is kept in the run folder. What the
    base gave to the same questions in an earlier evaluation, of any run, comes from the cache. Both models of a run of
    task `open_book` are asked with the same passages, found in the whole data set.

    Args:
        precision: `int8` answers faster and with other tokens; `protocol.decoding` says so.
        keep_answers: take the answers of the run's last evaluation, and measure everything else.
        questions: how many of the test questions are asked, chosen at random with a fixed seed; None: all, or those
            whose answers are kept.
        fresh: whether the base is measured anew, whatever the cache has of it.

    Raises:
        InputError: an imported run, which has nothing to evaluate, or one that is still being trained; or there are no
            answers of these weights to the run's test questions, after the same passages, that could be kept.
        ModelError: its models cannot be loaded.
        DataUnavailable: the data set is not available, or is not the one that the run was trained on.
    """
    config = checked(run)
    pairs, whole = same_split(run, settings)
    if keep_answers and questions is None:
        questions = test_questions(run)
    parts = whole.with_test_sample(questions)
    variants = load_variants(run, settings)
    kept = _kept(run, variants, parts, config.max_new_tokens) if keep_answers else None
    decoding = kept.decoding if kept else decoding_of(variants, settings, config.max_new_tokens, precision)
    protocol = _protocol(config, variants, decoding)
    if parts is not whole:
        protocol = protocol.model_copy(update={"test_questions": len(parts.test)})
    words = most_words(config.max_new_tokens)
    prompts: Sequence[str] = []
    passages: Sequence[Sequence[Passage]] = []
    controls = control_answers(parts, words)
    if config.task == "open_book":
        shelf = shelf_of(run, config, settings, "data set")
        search = cache(shelf.search)
        prompts, passages = read_for(variants, parts.test, search, config.max_new_tokens, progress)
        controls["top_passage"] = top_passages([search(question) for question in parts.test], words)
        if kept and kept.passages != [[one.question_id for one in few] for few in passages]:
            raise InputError(
                f"{run.id} would now read other passages before it answers: evaluate it without --keep-answers."
            )
        retrieval = shelf.protocol(config, len(parts.test), len(whole.test))
        protocol = protocol.model_copy(update={"retrieval": retrieval})
    others, kind = other_topics(parts.test, parts.groups)
    measured = Questions.of(variants, parts.test, variants.prompt, config.max_tokens, others, prompts)
    total = len(measured.prompts)
    # One for both variants: an engine is made in seconds, and of an adapter's run both share it.
    decoder = cache(lambda: decoder_for(variants, settings, precision, lambda stage: progress(stage, 0, total)))
    first = fingerprint(protocol, split=parts.hash)
    with (
        Partial(run.folder / PARTIAL, first, older=lambda rows: rows_of_today(rows, protocol)) as partial,
        BaseMemory(variants.base, settings, recall=not fresh) as memory,
    ):
        base_losses = _base_losses(variants, parts.validation, config, partial)
        losses = {
            variant: measure_losses(variants, variant, measured, partial, memory, progress) for variant in VARIANTS
        }
        answered: dict[Variant, Answered] = {}
        for variant in VARIANTS:
            if kept:
                answered[variant] = kept.answers[variant]
                continue
            said = measure_answers(variants, variant, measured, decoding, decoder, partial, memory, progress)
            answered[variant] = said.of_reader() if passages else said
    progress("scores and copies", 0, 1)
    tested = Tested(parts, references_of(parts.test, pairs), Content.of(pairs))
    rows = prediction_rows(
        tested,
        variants.tokenizer,
        variants.prompt,
        measured,
        losses,
        answered,
        controls,
        passages,
    )
    asked = sum(other is not None for other in others)
    more = {
        "base_losses": base_losses,
        "content": tested.content.protocol,
        "controls": controls_protocol(parts, words),
        "other_topic": OtherTopicProtocol(kind=kind, seed=SEED, questions=asked),
    }
    made = {
        f"{variant}_generation": generation(
            rows, variant, parts.test, answered[variant].seconds, variants.prompt, config.max_new_tokens
        )
        for variant in VARIANTS
    }
    evaluation = with_verdicts(
        Evaluation(
            primary_metric=config.primary_metric,
            metrics={},
            overlap=leakage.measure(whole, pairs) if parts.train else None,
            protocol=protocol.model_copy(update=more),
            with_sources=_with_sources(run, protocol, rows["question_id"]),
            seconds=round(sum(losses[variant].seconds + answered[variant].seconds for variant in VARIANTS), 1),
            **made,
        ),
        rows,
        mmlu_of(run, protocol),
        run.with_sources(),
    )
    discard_manifest(run.folder)
    write_predictions(run.folder, rows)
    write_json(run.folder / "evaluation.json", evaluation.model_dump(mode="json"))
    partial.discard()
    progress("scores and copies", 1, 1)
    return evaluation


@dataclass(frozen=True)
class _Kept:
    """Answers of an earlier evaluation, and how they were made."""

    decoding: Decoding
    answers: dict[Variant, Answered]
    passages: list[list[str]]
    """Ids of what was read before each question; empty where nothing was."""


def _kept(run: Run, variants: ModelVariants, parts: Split, max_new_tokens: int) -> _Kept:
    before, rows = run.evaluation(), run.predictions()
    protocol = before.protocol if before else Protocol()
    weights = Protocol(base_sha256=variants.base.sha256, fine_tuned_sha256=variants.adapter_sha256)
    if rows is None or protocol.decoding is None or not protocol.same_weights(weights):
        raise InputError(f"{run.id} has no answers of the weights that it has now: evaluate it without --keep-answers.")
    asked = (protocol.prompt, protocol.decoding.max_new_tokens, rows["question_id"].tolist())
    if asked != (variants.prompt, max_new_tokens, [question.id for question in parts.test]):
        raise InputError(f"{run.id} was asked in another way than it would be now: evaluate it without --keep-answers.")
    answers: dict[Variant, Answered] = {}
    for variant in VARIANTS:
        texts, tokens = rows[f"{variant}_answer"], rows[f"{variant}_answer_tokens"]
        if texts.isna().any() or tokens.isna().any():
            raise InputError(f"{run.id} lacks answers of its evaluation: evaluate it without --keep-answers.")
        made = getattr(before, f"{variant}_generation")
        answers[variant] = Answered.of_rows(texts, tokens, rows[f"{variant}_cited"], made)
    read = [[] if ids is None else list(ids) for ids in rows["passages"]]
    return _Kept(protocol.decoding, answers, read)


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
    rows, mmlu = run.predictions(), mmlu_of(run, before.protocol)
    if rows is None and mmlu is None:
        raise InputError(f"{run.id} has not been measured: there is nothing to judge.")
    evaluation = with_verdicts(before, rows, mmlu, run.with_sources())
    discard_manifest(run.folder)
    write_json(run.folder / "evaluation.json", evaluation.model_dump(mode="json"))
    return evaluation


def mmlu_of(run: Run, protocol: Protocol) -> tuple[pd.DataFrame, MMLUProtocol] | None:
    """The run's MMLU answers and how they were asked for; None where there are none of the weights of `protocol`."""
    answers, results = run.mmlu_answers(), run.mmlu()
    if answers is None or results is None or protocol.fine_tuned_sha256 not in (None, results.fine_tuned_sha256):
        return None
    if len({protocol.fine_tuned_config_sha256, results.fine_tuned_config_sha256} - {None}) > 1:
        return None
    return answers, results.protocol


def _with_sources(run: Run, protocol: Protocol, asked: Iterable[str]) -> WithSources | None:
    """What an earlier evaluation says of answers with sources.

    None where it was of other weights or decoded otherwise, or also of questions that are not `asked` any more.
    """
    before, rows = run.evaluation(), run.with_sources()
    if before is None or before.with_sources is None or not protocol.comparable(before.with_sources.protocol):
        return None
    return None if rows is not None and not set(rows["question_id"]) <= set(asked) else before.with_sources


def checked(run: Run) -> QuestionsConfig:
    """The configuration of a run that can be measured.

    Raises:
        InputError: an imported run without weights, or one that is still being trained.
    """
    config = run.record.questions
    if config is None:
        raise InputError(f"{run.id} is an imported run: its figures are the source's and cannot be measured again.")
    if run.state() in LIVE:
        raise InputError(f"{run.id} is still {run.state()}: its weights may yet change. Evaluate it when it has ended.")
    return config


def test_questions(run: Run) -> int | None:
    """How many test questions its evaluation asked, None for all."""
    before = run.evaluation()
    return before.protocol.test_questions if before else None


def same_split(run: Run, settings: Settings) -> tuple[Sequence[QAPair], Split]:
    """All pairs of the run's data set, and its split of them.

    Raises:
        DataUnavailable: the data set is not available, or is not the one that the run was trained on.
    """
    config = checked(run)
    data = data_for(config, settings)
    parts = split_pairs(data.pairs, config)
    lookup.check_split(run.record, data, parts)
    return data.pairs, parts


def with_verdicts(
    evaluation: Evaluation,
    rows: pd.DataFrame | None,
    mmlu: tuple[pd.DataFrame, MMLUProtocol] | None,
    with_sources: pd.DataFrame | None,
) -> Evaluation:
    """`evaluation` with every verdict that its rows give, all by today's rule.

    Args:
        rows: its test questions, of `predictions.parquet`; None: what was judged from them stays as it is.
        mmlu: as `mmlu_of`.
        with_sources: the rows of `with_sources.parquet`, or None; they count where the evaluation is about them.
    """
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
            "references": references_of_rows(rows) or evaluation.references,
            "controls": judge_controls(rows, with_sources if evaluation.with_sources else None),
            "with_sources": judged_again(evaluation.with_sources, rows, with_sources),
        }
    )


def _base_losses(
    variants: ModelVariants, validation: Sequence[QAPair], config: QuestionsConfig, partial: Partial
) -> BaseLosses | None:
    """The base's loss on validation questions under each prompt that the run's tokenizer knows; None without any."""
    if not validation:
        return None
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


def _protocol(config: QuestionsConfig, variants: ModelVariants, decoding: Decoding) -> Protocol:
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
