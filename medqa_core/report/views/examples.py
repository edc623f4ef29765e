"""Two answers of the fine-tuned model, chosen by their rank: one of the better ones and one of the worse."""

import math
from dataclasses import dataclass
from typing import Any

from medqa_core.report.answer_rows import content_score
from medqa_core.report.facts import Facts

FROM_THE_END = 0.1
"""Where the two stand: this share of all answers from either end, so that neither is the best or worst of many."""


@dataclass(frozen=True)
class Examples:
    """Both rows of predictions.parquet, and how they were chosen."""

    better: dict[str, Any]
    worse: dict[str, Any]
    score: str
    """The metric by which the fine-tuned model's answers are ranked."""
    place: int
    """Places from the best answer, and from the worst, counted from 1."""
    n: int
    """Answers that are ranked."""


def examples(facts: Facts) -> Examples | None:
    """The two answers; None where nothing ranks them, there are not two, or both would score the same."""
    rows = facts.predictions
    score = None if rows is None else content_score(rows)
    if rows is None or score is None:
        return None
    column = f"fine_tuned_{score}"
    ranked = rows.dropna(subset=[column, "fine_tuned_answer"])
    # Equal scores by the question's id: the choice must not depend on the order of the rows.
    ranked = ranked.sort_values([column, "question_id"], ascending=[False, True])
    place = math.ceil(FROM_THE_END * len(ranked))
    if len(ranked) < 2 or ranked[column].iloc[place - 1] <= ranked[column].iloc[-place]:
        return None
    found = ranked.to_dict("records")
    return Examples(_row(found[place - 1]), _row(found[-place]), score, place, len(ranked))


def _row(record: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in record.items()}
