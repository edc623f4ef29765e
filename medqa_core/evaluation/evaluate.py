"""Evaluate a run: both models answer every test question; losses, ROUGE and verdicts go to the run folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.answering.generate import greedy_answers
from medqa_core.data import sources
from medqa_core.data.overlap import NgramIndex
from medqa_core.data.pairs import Pair
from medqa_core.data.split import Split, split_pairs
from medqa_core.evaluation.loss import AnswerLoss, answer_losses, mean_loss
from medqa_core.evaluation.tables import metrics_of
from medqa_core.evaluation.text_metrics import empty_share, length_ratio, rouge_scores
from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.pair import SIDES, ModelPair, Side, load_pair
from medqa_core.models.prompt import Example, PromptKind, encode_example, encode_prompt
from medqa_core.runs.config import TrainConfig
from medqa_core.runs.evaluation import HOLM, Evaluation, Generation
from medqa_core.runs.predictions import write_predictions
from medqa_core.runs.status import LIVE
from medqa_core.runs.store import Run

Progress = Callable[[str, int, int], None]
"""Called with the stage, how many of its questions are done, and how many it has."""

PROMPT_SAMPLE = 32
"""Validation questions on which the base is tried with each prompt."""


@dataclass(frozen=True)
class _Answers:
    """One model's results on the test questions, in their order."""

    losses: list[AnswerLoss]
    texts: list[str]
    tokens: list[int]
    rouge: list[dict[str, float]]
    generation: Generation


def evaluate(run: Run, settings: Settings, progress: Progress = lambda *_: None) -> Evaluation:
    """Measure and judge `run`; writes predictions.parquet, then evaluation.json.

    Raises:
        InputError: an imported run, which has nothing to evaluate, or one that is still being trained.
        ModelError: its models cannot be loaded.
        DataUnavailable: the data set is not in reach, or is not the one that the run was trained on.
    """
    config = run.record.config
    if config is None:
        raise InputError(f"{run.id} is an imported run: its figures are the source's and cannot be measured again.")
    if run.state in LIVE:
        raise InputError(f"{run.id} is still {run.state}: its weights may yet change. Evaluate it when it has ended.")
    start = time.monotonic()
    parts = _same_split(run, config, settings)
    pair = load_pair(run, settings)
    questions = parts.test
    examples = _encode(pair, questions, pair.prompt, config.max_tokens)
    prompts = [encode_prompt(pair.tokenizer, q.question, pair.prompt) for q in questions]
    measured = {side: _measure(pair, side, questions, examples, prompts, config, progress) for side in SIDES}
    rows = _rows(questions, parts, examples, measured)
    metrics, by_type = metrics_of(rows, config.primary_metric)
    evaluation = Evaluation(
        primary_metric=config.primary_metric,
        metrics=metrics,
        by_question_type=by_type,
        by_question_type_correction=HOLM,
        base_generation=measured["base"].generation,
        fine_tuned_generation=measured["fine_tuned"].generation,
        protocol=_protocol(config, pair, _base_prompts(pair, parts.validation, config)),
        seconds=round(time.monotonic() - start, 1),
    )
    write_predictions(run.folder, rows)
    write_json(run.folder / "evaluation.json", evaluation.model_dump(mode="json"))
    return evaluation


def _same_split(run: Run, config: TrainConfig, settings: Settings) -> Split:
    data = sources.load(config.dataset, settings, config.columns)
    parts = split_pairs(data.pairs, config)
    recorded = run.record.data.split_hash if run.record.data else None
    if recorded is not None and recorded != parts.hash:
        raise DataUnavailable(
            f"{data.title} in reach here gives split {parts.hash[:12]}…, but {run.id} was trained on {recorded[:12]}…: "
            "some test questions could have been trained on, so nothing was measured."
        )
    return parts


def _encode(pair: ModelPair, questions: Sequence[Pair], kind: PromptKind, max_tokens: int) -> list[Example]:
    return [encode_example(pair.tokenizer, q.question, q.answer, kind, max_tokens, end=False) for q in questions]


def _measure(
    pair: ModelPair,
    side: Side,
    questions: Sequence[Pair],
    examples: list[Example],
    prompts: list[list[int]],
    config: TrainConfig,
    progress: Progress,
) -> _Answers:
    name = {"base": "base", "fine_tuned": "fine-tuned"}[side]
    with pair.side(side) as model:
        losses = answer_losses(model, examples, _counted(progress, f"{name}: loss", len(examples)))
        start = time.monotonic()
        ids = greedy_answers(
            model, pair.tokenizer, prompts, config.max_new_tokens, _counted(progress, f"{name}: answers", len(prompts))
        )
        seconds = time.monotonic() - start
    texts = [pair.tokenizer.decode(answer, skip_special_tokens=True).strip() for answer in ids]
    references = [question.answer for question in questions]
    tokens = [len(answer) for answer in ids]
    generation = Generation(
        empty_share=empty_share(texts),
        mean_tokens=float(np.mean(tokens)),
        length_ratio=round(length_ratio(texts, references), 4),
        seconds=round(seconds, 1),
        prompt=pair.prompt,
    )
    return _Answers(losses, texts, tokens, rouge_scores(texts, references), generation)


def _counted(progress: Progress, stage: str, total: int) -> Callable[[int], None]:
    done = 0
    progress(stage, 0, total)

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress(stage, done, total)

    return advance


def _rows(
    questions: Sequence[Pair], parts: Split, examples: list[Example], measured: dict[Side, _Answers]
) -> pd.DataFrame:
    known = NgramIndex(pair.answer for pair in parts.train)
    columns: dict[str, list[Any]] = {
        "question_id": [q.id for q in questions],
        "group_id": [parts.groups[q.id] for q in questions],
        "question_type": [q.question_type for q in questions],
        "source": [q.source for q in questions],
        "reference_tokens": [loss.tokens for loss in measured["base"].losses],
        "reference_bytes": [example.answer_bytes for example in examples],
        "train_overlap": [known.share(q.answer) for q in questions],
    }
    for side, answers in measured.items():
        columns[f"{side}_answer"] = answers.texts
        columns[f"{side}_loss"] = [loss.mean for loss in answers.losses]
        columns[f"{side}_answer_tokens"] = answers.tokens
        for name in ("rouge1", "rouge2", "rougeL"):
            columns[f"{side}_{name}"] = [scores[name] for scores in answers.rouge]
    return pd.DataFrame(columns)


def _base_prompts(pair: ModelPair, validation: Sequence[Pair], config: TrainConfig) -> dict[str, float]:
    """The base's validation loss under each prompt, so that nobody need wonder whether it got a bad one."""
    kinds: tuple[PromptKind, ...] = ("chat", "plain") if pair.prompt == "chat" else ("plain",)
    sample = validation[:PROMPT_SAMPLE]
    with pair.side("base") as model:
        return {kind: mean_loss(answer_losses(model, _encode(pair, sample, kind, config.max_tokens))) for kind in kinds}


def _protocol(config: TrainConfig, pair: ModelPair, base_prompts: dict[str, float]) -> dict[str, str]:
    losses = ", ".join(f"{kind} {value:.4f}" for kind, value in base_prompts.items())
    return {
        "prompt": f"{pair.prompt}, for both models",
        "base_loss_by_prompt": f"{losses} ({PROMPT_SAMPLE} validation questions at most)",
        "loss": f"nats a token of the reference answer, its first {config.max_tokens} tokens with the prompt",
        "decoding": f"greedy, at most {config.max_new_tokens} new tokens",
        "rouge": "rouge_score F-measure with stemming, against the whole reference answer",
        "resampling": "whole topics: 95% bootstrap interval, permutation test; "
        "Holm's correction of the secondary metrics and across question types",
        "base_sha256": pair.base.sha256,
        "fine_tuned_sha256": pair.adapter_sha256,
    }
