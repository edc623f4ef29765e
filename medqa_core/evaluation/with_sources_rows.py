"""Answers with sources as rows, judged against the base's and the fine-tuned model's on the same questions.

All scores are compared with both models. These comparisons are a family of their own: their p-values are corrected
together (Holm), whatever the fine-tuning's primary metric showed.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from medqa_core.answering.retrieval.passages import Passage
from medqa_core.data.pairs import QAPair
from medqa_core.evaluation.content import CONTENT
from medqa_core.evaluation.controls import ControlAnswers, control_columns, cut
from medqa_core.evaluation.measure import Answered
from medqa_core.evaluation.rows import Tested, answer_columns, copy_index
from medqa_core.evaluation.tables import Metrics, judge_family, numbers
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, VARIANTS, WithSources


def with_sources_rows(
    tested: Tested,
    asked: Sequence[QAPair],
    said: Answered,
    passages: Sequence[Sequence[Passage]],
    most_words: int,
) -> pd.DataFrame:
    """One row per question, in the columns of `runs.artifacts.with_sources.SCHEMA`.

    Args:
        tested: the run's split, and the references of `asked`.
        asked: those of its test questions that were answered, in the order of the others.
        said: the answers.
        passages: that were read, best first.
        most_words: where the control, the first passage alone, is cut.
    """
    copies = copy_index(tested.parts)
    return pd.DataFrame(
        {
            "question_id": [q.id for q in asked],
            "group_id": [tested.parts.groups[q.id] for q in asked],
            **answer_columns(said.texts, tested.references, copies),
            **derived_columns(said.texts, tested, asked, [[one.text for one in few] for few in passages], most_words),
            "tokens": said.tokens,
            **({"cited": said.cited} if said.cited else {}),
            "passages": [[passage.question_id for passage in few] for few in passages],
        }
    )


def derived_columns(
    answers: Sequence[str],
    tested: Tested,
    asked: Sequence[QAPair],
    passages: Sequence[Sequence[str]],
    most_words: int,
) -> dict[str, list[Any]]:
    """What follows from the answers and the passages that were read: content, and the first passage as a control."""
    top = ControlAnswers([cut(few[0], most_words) if few else "" for few in passages], [None] * len(asked))
    control = control_columns(top, asked, tested.references, tested.content)
    return {
        **tested.content.columns(answers, asked, tested.references, passages),
        **{f"top_passage_{name}": values for name, values in control.items() if name != "id"},
    }


def judged_again(
    before: WithSources | None, rows: pd.DataFrame | None, with_sources: pd.DataFrame | None
) -> WithSources | None:
    """`before` with the verdicts that its rows give; as it is where either model's rows cannot be read."""
    if before is None or rows is None or with_sources is None:
        return before
    found = judge_with_sources(rows, with_sources)
    return before.model_copy(update={f"against_{variant}": metrics for variant, metrics in found.items()})


def judge_with_sources(rows: pd.DataFrame, with_sources: pd.DataFrame) -> dict[str, Metrics]:
    """The answers with sources against those of each variant, on the same questions; whole topics are resampled.

    Args:
        rows: the columns of `runs.artifacts.predictions.SCHEMA`. A score that is null throughout, as in older runs, is
            not compared.
        with_sources: those of `runs.artifacts.with_sources.SCHEMA`.

    Returns:
        By variant and metric; `fine_tuned` of a metric is the answers with sources' value, `base` that of the variant.
    """
    both = with_sources.merge(rows, on="question_id", suffixes=("", "_of_variant"), validate="one_to_one")
    groups = both["group_id"].astype(str).tolist()
    compared = [
        (variant, name, numbers(both, f"{variant}_{name}"), numbers(both, name))
        for variant in VARIANTS
        for name in (*ANSWER_SCORES, *CONTENT)
    ]
    return judge_family(compared, groups)
