"""From what was measured to one row per test question: scores, overlap with training, copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.answering.retrieval.passages import Passage
from medqa_core.data.overlap import CopyIndex, NgramIndex
from medqa_core.data.pairs import QAPair
from medqa_core.data.split import Split
from medqa_core.evaluation.content import KINDS, Content, token_mask
from medqa_core.evaluation.controls import ControlAnswers, control_columns
from medqa_core.evaluation.measure import Answered, Losses, Questions
from medqa_core.evaluation.other_topic import other_topics
from medqa_core.evaluation.text_metrics import answer_scores, empty_share, length_ratio, repetition
from medqa_core.models.prompt import answer_ends
from medqa_core.models.variants import VARIANTS, Variant
from medqa_core.runs.schema.evaluation import (
    ANSWER_SCORES,
    ControlName,
    Generation,
    PromptKind,
    References,
    SpecificsCount,
)


@dataclass(frozen=True)
class Tested:
    """What answers are measured against."""

    parts: Split
    references: list[tuple[str, ...]]
    """Of each test question, its own answer first."""
    content: Content


def prediction_rows(
    tested: Tested,
    tokenizer: Any,
    kind: PromptKind,
    questions: Questions,
    losses: dict[Variant, Losses],
    answered: dict[Variant, Answered],
    controls: dict[ControlName, ControlAnswers],
    passages: Sequence[Sequence[Passage]] = (),
) -> pd.DataFrame:
    """One row per test question, in the columns of `runs.artifacts.predictions.SCHEMA`.

    Args:
        passages: that both models read before they answered; none where it is empty.
    """
    parts = tested.parts
    # Where it is not known what a model was trained on, nothing is known of overlap and copies; it is not none.
    known = NgramIndex(one.answer for one in parts.train) if parts.train else None
    copies = copy_index(parts)
    columns: dict[str, list[Any]] = {
        "question_id": [q.id for q in parts.test],
        "group_id": [parts.groups[q.id] for q in parts.test],
        "question_type": [q.question_type for q in parts.test],
        "source": [q.source for q in parts.test],
        "references": [len(known_answers) for known_answers in tested.references],
        "reference_tokens": [loss.tokens for loss in losses["base"].own],
        "reference_bytes": [example.answer_bytes for example in questions.examples],
        "reference_token_ends": [
            answer_ends(tokenizer, q.answer, kind, loss.tokens)
            for q, loss in zip(parts.test, losses["base"].own, strict=True)
        ],
        "other_tokens": [0 if loss is None else loss.tokens for loss in losses["base"].elsewhere],
        "train_overlap": [np.nan if known is None else known.share(q.answer) for q in parts.test],
    }
    for variant, said in answered.items():
        found = answer_columns(said.texts, tested.references, copies)
        columns |= {
            f"{variant}_loss": [loss.mean for loss in losses[variant].own],
            f"{variant}_nats": [loss.nats for loss in losses[variant].own],
            f"{variant}_other_loss": [np.nan if loss is None else loss.mean for loss in losses[variant].elsewhere],
            f"{variant}_answer_tokens": said.tokens,
            **{f"{variant}_{name}": values for name, values in found.items()},
        }
        if said.cited:
            columns[f"{variant}_cited"] = said.cited
    if passages:
        columns["passages"] = [[one.question_id for one in few] for few in passages]
    rows = pd.DataFrame(columns)
    return rows.assign(**derived_columns(rows, tested, controls, [[one.text for one in few] for few in passages]))


def derived_columns(
    rows: pd.DataFrame,
    tested: Tested,
    controls: dict[ControlName, ControlAnswers],
    passages: Sequence[Sequence[str]] = (),
) -> dict[str, list[Any]]:
    """What follows from the other columns and the data: content, controls, templates, the topic's worth."""
    asked, content = tested.parts.test, tested.content
    reference = [content.masked_words(q.answer, q.topic) for q in asked]
    others, _ = other_topics(asked, tested.parts.groups)
    columns: dict[str, list[Any]] = {
        "reference_all_bytes": [len(q.answer.encode("utf-8")) for q in asked],
        "reference_words": [total for total, _ in reference],
        "reference_template_words": [masked for _, masked in reference],
        "other_question": [None if other is None else other.id for other in others],
    }
    for variant in VARIANTS:
        said = content.columns(rows[f"{variant}_answer"].tolist(), asked, tested.references, passages)
        columns |= {f"{variant}_{name}": values for name, values in said.items()}
    for control, made in controls.items():
        its = control_columns(made, asked, tested.references, content)
        columns |= {f"{control}_{name}": values for name, values in its.items()}
    return columns | masked_columns(rows, asked, content)


def masked_columns(rows: pd.DataFrame, questions: Sequence[QAPair], content: Content) -> dict[str, list[Any]]:
    """What follows from the tokens' nats and a mask: the loss outside templates, and what the topic is worth."""
    kept: list[list[bool] | None] = []
    for ends, question in zip(rows["reference_token_ends"], questions, strict=True):
        if ends is None:
            kept.append(None)
            continue
        masked = token_mask(question.answer, content.templates.mask(question.answer, question.topic), ends)
        kept.append([not one for one in masked])
    found: dict[str, list[Any]] = {"outside_tokens": [0 if one is None else sum(one) for one in kept]}
    for variant in VARIANTS:
        nats, other = rows[f"{variant}_nats"], rows[f"{variant}_other_loss"]
        found[f"{variant}_loss_outside_templates"] = [
            _mean(one, places) if places is not None else np.nan for one, places in zip(nats, kept, strict=True)
        ]
        found[f"{variant}_topic_information"] = [
            loss - _mean(one, [True] * int(tokens))
            for one, tokens, loss in zip(nats, rows["other_tokens"], other, strict=True)
        ]
    return found


def _mean(nats: Sequence[int] | None, counted: Sequence[bool]) -> float:
    """Nats per token over the tokens that count, of the first as many as `counted` has; NaN over none."""
    if nats is None or not any(counted):
        return float("nan")
    chosen = np.asarray(nats, dtype=np.float64)[: len(counted)][np.asarray(counted, dtype=np.bool_)]
    return float(chosen.mean() / 1000)


def copy_index(parts: Split) -> CopyIndex | None:
    """The training answers that an answer may be copied from; None where they are not known."""
    return CopyIndex((one.id, one.answer) for one in parts.train) if parts.train else None


def answer_columns(
    answers: Sequence[str], references: Sequence[tuple[str, ...]], copies: CopyIndex | None
) -> dict[str, list[Any]]:
    """What an evaluation keeps of any column of answers: their texts, scores, repetition and copies, by name.

    `copies`: the training answers; None where they are not known.
    """
    scores = answer_scores(answers, references)
    nearest = [(np.nan, None) if copies is None else copies.nearest(text) for text in answers]
    return {
        "answer": list(answers),
        **{name: [one[name] for one in scores] for name in ANSWER_SCORES},
        "repetition": [repetition(text) for text in answers],
        "copied_share": [share for share, _ in nearest],
        "nearest": [id_ for _, id_ in nearest],
    }


def generation(
    rows: pd.DataFrame,
    variant: str,
    questions: Sequence[QAPair],
    seconds: float,
    prompt: PromptKind,
    max_new_tokens: int | None,
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
        **form(rows, variant, max_new_tokens),
    )


def form(rows: pd.DataFrame, variant: str, max_new_tokens: int | None) -> dict[str, Any]:
    """The fields of `Generation` that follow from the rows: templates, answers that ended, specifics."""
    if not len(rows) or rows[f"{variant}_words"].isna().any():
        return {}
    return {
        "template_share": _share(rows[f"{variant}_template_words"], rows[f"{variant}_words"]),
        "ended_share": None
        if max_new_tokens is None
        else float((rows[f"{variant}_answer_tokens"] < max_new_tokens).mean()),
        "specifics": {kind: _specifics(rows, f"{variant}_{kind}") for kind in KINDS},
        "supported_share": _mean_of(rows, f"{variant}_supported"),
        "cited_share": None
        if (cited := rows.get(f"{variant}_cited")) is None or cited.isna().any()
        else float((cited > 0).mean()),
    }


def references_of_rows(rows: pd.DataFrame) -> References | None:
    """What the references are made of; None where the rows do not say."""
    if not len(rows) or rows["reference_words"].isna().any():
        return None
    total, masked = "reference_words", "reference_template_words"
    types = rows[rows["question_type"].notna()].groupby("question_type", sort=True)
    by_type = {str(kind): _share(part[masked], part[total]) for kind, part in types}
    return References(
        template_share=_share(rows[masked], rows[total]),
        template_share_by_question_type={kind: share for kind, share in by_type.items() if share is not None},
        scored_share=_share(rows["reference_bytes"], rows["reference_all_bytes"]),
    )


def _share(part: pd.Series, whole: pd.Series) -> float | None:
    return min(1.0, float(part.sum()) / float(whole.sum())) if whole.sum() else None


def _mean_of(rows: pd.DataFrame, name: str) -> float | None:
    """Over the rows that have a value; None where none has."""
    values = rows[name].dropna() if name in rows else ()
    return float(np.mean(values)) if len(values) else None


def _specifics(rows: pd.DataFrame, name: str) -> SpecificsCount:
    stated, right = rows[f"{name}_stated"], rows[f"{name}_right"]
    passages = rows.get(f"{name}_in_passages")
    return SpecificsCount(
        answers=int((stated > 0).sum()),
        right_answers=int((right > 0).sum()),
        stated=int(stated.sum()),
        in_reference=int(right.sum()),
        in_passages=None if passages is None or passages.isna().any() else int(passages.sum()),
    )
