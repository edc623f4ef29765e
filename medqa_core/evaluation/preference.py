"""From a judge model's choices to the share of questions that each model wins, judged topic by topic."""

import numpy as np
import pandas as pd

from medqa_core.evaluation.judge import Paired, judge
from medqa_core.runs.schema.evaluation import Metric

NAME = "judge_preference"
MOST_UNUSABLE = 0.05
"""Share of the questions without a usable reply from which on nothing is concluded: they may not be like the others."""
_POINTS = {"base": 0.0, "tie": 0.5, "fine_tuned": 1.0}


def points(rows: pd.DataFrame) -> pd.Series:
    """What the fine-tuned model wins of each question, 0 to 1, the mean of both orders; NaN without two usable replies.

    A judge that prefers whatever stands first changes its mind with the order, and such a question is a draw.
    """
    orders = [rows[column].map(_POINTS).astype(float) for column in ("base_first", "fine_tuned_first")]
    return (orders[0] + orders[1]) / 2


def judge_preference(rows: pd.DataFrame) -> Metric:
    """The share of the sample's questions won by each model, their difference, its interval and verdict.

    Questions without two usable replies are left out; with more than MOST_UNUSABLE of them nothing is told.

    Args:
        rows: the columns of `runs.artifacts.model_judge.SCHEMA`.
    """
    sample = rows[rows["drawn"].fillna(True).astype(bool)]
    won = points(sample)
    kept = np.ones(len(sample), dtype=bool) if won.isna().mean() > MOST_UNUSABLE else won.notna().to_numpy()
    tuned, groups = won[kept].tolist(), sample["group_id"].astype(str)[kept].tolist()
    return judge(NAME, Paired.of([1 - one for one in tuned], tuned, [1.0] * len(tuned), groups))
