"""The models against the controls: the same questions, metrics, intervals and tests as between the models.

All comparisons of one control are a family: their p-values are corrected together (Holm).
"""

import numpy as np
import pandas as pd

from medqa_core.evaluation.content import CONTENT
from medqa_core.evaluation.tables import judge_family, numbers
from medqa_core.runs.artifacts.predictions import CONTROLS
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, VARIANTS, Control, ControlName, MetricName

COMPARED: tuple[MetricName, ...] = (*ANSWER_SCORES, *CONTENT)
NO_ANSWER = "The training data hold nothing that it could answer with."


def judge_controls(rows: pd.DataFrame, with_sources: pd.DataFrame | None) -> dict[ControlName, Control]:
    """Each control that the rows hold scores of.

    Args:
        rows: the columns of `runs.artifacts.predictions.SCHEMA`.
        with_sources: those of `runs.artifacts.with_sources.SCHEMA`, or None.
    """
    if not len(rows):
        return {}
    groups = rows["group_id"].astype(str).tolist() if "group_id" in rows else [""] * len(rows)
    found: dict[ControlName, Control] = {}
    for name in CONTROLS:
        if np.isfinite(numbers(rows, f"{name}_rougeL")).any():
            answered = int(rows[f"{name}_id"].notna().sum())
            found[name] = _control(rows, name, VARIANTS, groups, answered)
    if "top_passage" in found or with_sources is None:
        return found
    if np.isfinite(numbers(with_sources, "top_passage_rougeL")).any():
        ours = with_sources.add_prefix("with_sources_").rename(columns=_plain)
        theirs = rows[[name for name in rows if name == "question_id" or name not in ours]]
        both = ours.merge(theirs, on="question_id", validate="one_to_one")
        answered = int((numbers(both, "top_passage_words") > 0).sum())
        variants = (*VARIANTS, "with_sources")
        found["top_passage"] = _control(both, "top_passage", variants, both["group_id"].astype(str).tolist(), answered)
    return found


def _plain(column: str) -> str:
    """The question's and the control's columns without the prefix of the answers."""
    name = column.removeprefix("with_sources_")
    return name if name in ("question_id", "group_id") or name.startswith("top_passage_") else column


def _control(rows: pd.DataFrame, control: str, variants: tuple[str, ...], groups: list[str], answered: int) -> Control:
    if not answered:
        return Control(answered=0, reason=NO_ANSWER)
    theirs = {name: numbers(rows, f"{control}_{name}") for name in COMPARED}
    compared = [
        (variant, name, theirs[name], numbers(rows, f"{variant}_{name}")) for variant in variants for name in COMPARED
    ]
    words = numbers(rows, f"{control}_words")
    return Control(
        values={name: float(np.nanmean(column)) for name, column in theirs.items() if np.isfinite(column).any()},
        answered=answered,
        mean_words=float(np.nanmean(words)) if np.isfinite(words).any() else None,
        **judge_family(compared, groups),
    )
