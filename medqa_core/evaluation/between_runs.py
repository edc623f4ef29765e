"""Two runs' fine-tuned models on the same test questions, judged as an evaluation judges a model against its base."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from medqa_core.evaluation.tables import Metrics, judged
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import count, plural
from medqa_core.runs.schema.evaluation import MetricName

MIN_SHARED_GROUPS = 10
"""Independent topics that two runs with other test questions must share to be compared on those."""
PER_TOKEN = {"loss", "perplexity", "loss_outside_templates", "topic_information"}
"""Metrics that depend on how a text is cut into tokens."""
PER_TEXT = {*PER_TOKEN, "bits_per_byte"}
"""Metrics that depend on how much of a reference is read; all others are scores of answers."""
Reason = Literal["other tokens", "other text", "other references"]
"""Why a metric of the two runs does not compare: their losses are over other tokens, or over other text of the same
references; their answers were scored against another number of references."""


@dataclass(frozen=True)
class Measured:
    """What is compared of one run."""

    run_id: str
    source: str | None
    """The data set; None where the run does not say. Ids of questions mean nothing across data sets."""
    rows: pd.DataFrame
    """Its predictions, in the columns of `runs.artifacts.predictions.SCHEMA`."""


@dataclass(frozen=True, eq=False)
class BetweenRuns:
    """The second run's fine-tuned model against the first's."""

    first: str
    second: str
    questions: int
    """Test questions that both runs have: all figures are of these."""
    of_first: int
    """Test questions of the first run."""
    of_second: int
    groups: int
    """Independent topics: questions that either run takes for one topic count as one."""
    metrics: Metrics
    """`base` is the first run's value, `fine_tuned` the second's, `difference` second − first; `better` means that the
    second is better. p-values are corrected as those of an evaluation."""
    left_out: dict[MetricName, Reason]
    rows: pd.DataFrame
    """One row a shared question, in the columns of predictions: `base_…` is the first run's fine-tuned model."""

    @property
    def same_questions(self) -> bool:
        """Whether both runs have the same test questions."""
        return self.questions == self.of_first == self.of_second


def judge_runs(first: Measured, second: Measured, primary: MetricName = "loss") -> BetweenRuns:
    """Judge the second run against the first, question by question, whole topics resampled.

    Args:
        first: what the second is compared with.
        second: the run that is judged.
        primary: the metric that decides; where it does not compare, bits per byte or ROUGE-L.

    Raises:
        InputError: one of them has no answers, they are of other data sets, or they share too few test questions.
    """
    rows = _shared(first, second)
    groups = joined(rows["group_id"].tolist(), rows["group_id_second"].tolist())
    total = len(set(groups))
    same = len(rows) == len(first.rows) == len(second.rows)
    if not same and total < MIN_SHARED_GROUPS:
        raise InputError(
            f"{first.run_id} and {second.run_id} were tested on different questions: they share "
            f"{count(len(rows))} of {count(len(first.rows))} and {count(len(second.rows))}, on "
            f"{plural(total, 'independent topic')}. At least {MIN_SHARED_GROUPS} topics are needed to compare them."
        )
    reasons = _reasons(rows)
    order: tuple[MetricName, ...] = (primary, "bits_per_byte", "rougeL")
    chosen = next((name for name in order if _reason(name, reasons) is None), primary)
    paired = rows.assign(group_id=groups)[[str(name) for name in first.rows]]
    # Without types, sources and overlap: only the verdicts over all questions are asked for.
    parts = paired.columns.intersection(["question_type", "source", "train_overlap"])
    found = {name: m for name, m in judged(paired.drop(columns=parts), chosen).metrics.items() if m.n}
    left_out = {name: reason for name in found if (reason := _reason(name, reasons)) is not None}
    return BetweenRuns(
        first=first.run_id,
        second=second.run_id,
        questions=len(rows),
        of_first=len(first.rows),
        of_second=len(second.rows),
        groups=total,
        metrics={name: metric for name, metric in found.items() if name not in left_out},
        left_out=left_out,
        rows=paired,
    )


def _shared(first: Measured, second: Measured) -> pd.DataFrame:
    """The questions of both, in the first's order; the second's own columns end in `_second`."""
    for one in (first, second):
        if one.rows.empty:
            raise InputError(f"{one.run_id} has no answers to compare: evaluate it first.")
    if first.source != second.source:
        raise InputError(
            f"{first.run_id} and {second.run_id} were tested on different data ({first.source or 'not stated'}, "
            f"{second.source or 'not stated'}): they share no test question."
        )
    ours, theirs = on_both(first, second)
    rows = pd.concat([ours, theirs.add_suffix("_second")], axis=1)
    if rows.empty:
        raise InputError(f"{first.run_id} and {second.run_id} share no test question: there is nothing to compare.")
    prefix = "fine_tuned_"
    for name in first.rows.filter(regex=f"^{prefix}").columns:
        rows[f"base_{name[len(prefix) :]}"] = rows[name]
        rows[name] = rows[f"{name}_second"]
    # A loss is a mean over tokens, which may be others in the two runs: brought to the same sum of nats.
    rows["reference_tokens_first"] = rows["reference_tokens"]
    rows["reference_tokens"] = rows["reference_tokens_second"]
    ratio = rows["reference_tokens_first"].astype(float) / rows["reference_tokens_second"].astype(float)
    rows["base_loss"] = rows["base_loss"].astype(float) * ratio
    return rows


def on_both(first: Measured, second: Measured) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each run's rows of the questions that both have, in the first's order; of a question that stands twice one."""
    ours, theirs = (one.rows.drop_duplicates("question_id") for one in (first, second))
    ours = ours[ours["question_id"].isin(theirs["question_id"])].reset_index(drop=True)
    places = pd.Index(theirs["question_id"]).get_indexer(ours["question_id"])
    return ours, theirs.iloc[places].reset_index(drop=True)


def _reasons(rows: pd.DataFrame) -> list[Reason]:
    """What differs between the runs beside their models."""
    found: list[Reason] = []
    if not _equal(rows["reference_tokens_first"], rows["reference_tokens_second"]):
        found.append("other tokens")
    if not _equal(rows["reference_bytes"], rows["reference_bytes_second"]):
        found.append("other text")
    if not _equal(rows["references"].fillna(1), rows["references_second"].fillna(1)):
        found.append("other references")
    return found


def _reason(name: str, reasons: Sequence[Reason]) -> Reason | None:
    """Why the metric does not compare; None where it does."""
    concerned: dict[Reason, bool] = {
        "other text": name in PER_TEXT,
        "other tokens": name in PER_TOKEN,
        "other references": name not in PER_TEXT,
    }
    return next((reason for reason, concerns in concerned.items() if concerns and reason in reasons), None)


def _equal(one: pd.Series, other: pd.Series) -> bool:
    return bool(np.array_equal(one.to_numpy(dtype=float), other.to_numpy(dtype=float), equal_nan=True))


def joined(ours: Sequence[object], theirs: Sequence[object]) -> list[str]:
    """A topic for each question: those that either run has in one group are one topic."""
    codes = [pd.factorize(np.asarray([str(one) for one in names], dtype=object))[0] for names in (ours, theirs)]
    left, right = codes[0], codes[1] + codes[0].max() + 1
    size = int(right.max()) + 1
    edges = coo_array((np.ones(len(left)), (left, right)), shape=(size, size))
    topics = connected_components(edges, directed=False)[1]
    return [str(topics[place]) for place in left]
