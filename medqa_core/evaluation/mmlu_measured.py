"""What is known of both models' answers to MMLU: the harness's objects and a row per question."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.evaluation.mmlu_tasks import Ask, task_name
from medqa_core.foundation.errors import OutsideStore, UnreadableFile
from medqa_core.foundation.files import read_json
from medqa_core.foundation.paths import resolve_inside
from medqa_core.models.variants import VARIANTS, Variant
from medqa_core.runs.artifacts.mmlu import (
    LETTERS,
    METRICS,
    RESULTS,
    SUBSETS,
    choices_by,
    read_answers,
    scored,
)
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Scoring

Samples = Mapping[Variant, Mapping[str, list[dict[str, Any]]]]
"""What the harness logged of each question, by model and task."""
COLUMNS: dict[Ask, str] = {"letter": "logprob", "cloze": "cloze"}
BY_TASK = ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples")
"""Parts of the harness's object that have an entry for each task."""
JUDGED = ("scoring", "metric")
"""What `config` says of the judging and not of the asking."""


@dataclass
class Measured:
    """Both models' answers, as far as they were asked."""

    results: dict[Variant, dict[str, Any]] = field(default_factory=dict)
    """The harness's object for each model; empty before anything was asked."""
    answers: pd.DataFrame = field(default_factory=pd.DataFrame)
    """One row per question, with the columns of `runs.artifacts.mmlu.SCHEMA` that are known."""

    @classmethod
    def earlier(cls, run: Run, about: Mapping[Variant, dict[str, Any]], shots: int) -> "Measured":
        """What an earlier call left of the same models, questions and examples; nothing where they differ.

        Args:
            about: what this measurement says of each model (`about` in `mmlu`).
        """
        try:
            results = read_json(resolve_inside(run.folder, *RESULTS.split("/")))
            answers = read_answers(run.folder)
            same = all(_same(results[variant], about[variant], shots) for variant in VARIANTS)
        except (UnreadableFile, OutsideStore, KeyError, TypeError, AttributeError):
            return cls()
        return cls({variant: results[variant] for variant in VARIANTS}, answers) if same else cls()

    def has(self, ask: Ask) -> bool:
        """Whether all subsets were asked in this way."""
        names = {task_name(subset, ask) for subset in SUBSETS}
        return bool(self.results) and all(names <= set(self.results[variant]["results"]) for variant in VARIANTS)

    def add(self, ask: Ask, found: Mapping[Variant, dict[str, Any]], logged: Samples) -> None:
        """Take in what the harness found for one way to ask, of both models."""
        for variant in VARIANTS:
            before, now = self.results.get(variant, {}), found[variant]
            merged = {part: {**before.get(part, {}), **now[part]} for part in BY_TASK}
            self.results[variant] = {**before, **now, **merged}
        columns = pd.concat([_columns(subset, ask, logged) for subset in SUBSETS], ignore_index=True)
        self.answers = self.answers.assign(**columns) if len(self.answers) else columns

    def judge(self, scoring: Scoring, about: Mapping[Variant, dict[str, Any]]) -> None:
        """Let `scoring` decide: the choices of the answers, and the accuracy that readers of the results take."""
        metric = METRICS[scoring]
        self.answers = scored(self.answers, scoring)
        for variant in VARIANTS:
            results = {**self.results[variant], **about[variant]}
            results["config"] = {**about[variant]["config"], "scoring": scoring, "metric": metric}
            self.results[variant] = results
            if self.has("letter"):
                _add_calibrated(results["results"], self.answers, variant)


def _same(results: dict[str, Any], about: dict[str, Any], shots: int) -> bool:
    """Whether a results object is of this measurement, and says by which metric it was judged, as 0.2's did not."""
    config = {name: value for name, value in results["config"].items() if name not in JUDGED}
    versions = ("lm_eval_version", "transformers_version")
    return (
        "metric" in results["config"]
        and config == about["config"]
        and all(results[name] == about[name] for name in versions)
        and set(results["n-shot"].values()) == {shots}
    )


def _columns(subset: str, ask: Ask, logged: Samples) -> pd.DataFrame:
    """The rows of one subset; of the cloze texts also the lengths."""
    columns: dict[str, Any] = {}
    for variant in VARIANTS:
        samples = sorted(logged[variant][task_name(subset, ask)], key=lambda sample: int(sample["doc_id"]))
        nats = np.array([[answer[0] for answer in sample["filtered_resps"]] for sample in samples], np.float64)
        columns |= {
            "subset": [subset] * len(samples),
            "question": [int(sample["doc_id"]) for sample in samples],
            "target": [int(sample["doc"]["answer"]) for sample in samples],
        }
        columns |= {f"{variant}_{COLUMNS[ask]}_{letter.lower()}": nats[:, i] for i, letter in enumerate(LETTERS)}
    if ask == "cloze":
        sizes = np.array([[len(text.encode("utf-8")) for text in sample["doc"]["choices"]] for sample in samples])
        columns |= {f"bytes_{letter.lower()}": sizes[:, i] for i, letter in enumerate(LETTERS)}
    return pd.DataFrame(columns)


def _add_calibrated(results: dict[str, Any], answers: pd.DataFrame, variant: Variant) -> None:
    """Beside the harness's accuracies of the letters those of the calibrated ones, with the error of a mean as its."""
    right = choices_by(answers, variant, "acc_calibrated") == answers["target"]
    for subset in SUBSETS:
        of_subset = right[answers["subset"] == subset]
        error = float(of_subset.std(ddof=1)) / math.sqrt(len(of_subset)) if len(of_subset) > 1 else None
        task = results[task_name(subset, "letter")]
        task |= {"acc_calibrated,none": float(of_subset.mean()), "acc_calibrated_stderr,none": error}
