"""From what was measured to one row per test question: scores, overlap with training, copies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.data.overlap import CopyIndex, NgramIndex
from medqa_core.data.pairs import QAPair
from medqa_core.data.split import Split
from medqa_core.evaluation.measure import Measured, Questions
from medqa_core.evaluation.text_metrics import NAMES, answer_scores, empty_share, length_ratio, repetition
from medqa_core.models.variants import ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Generation, PromptKind


def prediction_rows(
    variants: ModelVariants,
    parts: Split,
    questions: Questions,
    measured: dict[Variant, Measured],
    references: list[tuple[str, ...]],
) -> pd.DataFrame:
    """One row per test question, in the columns of `runs.artifacts.predictions.SCHEMA`."""
    known = NgramIndex(one.answer for one in parts.train)
    copies = CopyIndex((one.id, one.answer) for one in parts.train)
    columns: dict[str, list[Any]] = {
        "question_id": [q.id for q in parts.test],
        "group_id": [parts.groups[q.id] for q in parts.test],
        "question_type": [q.question_type for q in parts.test],
        "source": [q.source for q in parts.test],
        "references": [len(known_answers) for known_answers in references],
        "reference_tokens": [loss.tokens for loss in measured["base"].losses],
        "reference_bytes": [example.answer_bytes for example in questions.examples],
        "train_overlap": [known.share(q.answer) for q in parts.test],
    }
    for variant, results in measured.items():
        found = answer_columns(results.texts(variants.tokenizer), references, copies)
        columns |= {
            f"{variant}_loss": [loss.mean for loss in results.losses],
            f"{variant}_answer_tokens": [len(ids) for ids in results.answers],
            **{f"{variant}_{name}": values for name, values in found.items()},
        }
    return pd.DataFrame(columns)


def answer_columns(
    answers: Sequence[str], references: Sequence[tuple[str, ...]], copies: CopyIndex
) -> dict[str, list[Any]]:
    """What an evaluation keeps of any column of answers: their texts, scores, repetition and copies, by name."""
    scores = answer_scores(answers, references)
    nearest = [copies.nearest(text) for text in answers]
    return {
        "answer": list(answers),
        **{name: [one[name] for one in scores] for name in NAMES},
        "repetition": [repetition(text) for text in answers],
        "copied_share": [share for share, _ in nearest],
        "nearest": [id_ for _, id_ in nearest],
    }


def generation(
    rows: pd.DataFrame, variant: str, questions: Sequence[QAPair], seconds: float, prompt: PromptKind
) -> Generation:
    """How one column of answers came out, from its rows; `variant` and an underscore begin the names of its columns."""
    texts = rows[f"{variant}_answer"].tolist()
    return Generation(
        empty_share=empty_share(texts),
        mean_tokens=float(np.mean(rows[f"{variant}_answer_tokens"])),
        length_ratio=round(length_ratio(texts, [q.answer for q in questions]), 4),
        repetition=round(float(np.mean(rows[f"{variant}_repetition"])), 4),
        seconds=round(seconds, 1),
        prompt=prompt,
    )
