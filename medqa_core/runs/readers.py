"""The files of a run folder, each as it is now: what it holds, and what is wrong with it. No damage makes one raise.

A file that is merely absent is no problem: its value is None, or empty where the file holds a list. The two files that
the list of runs is made from are in `records`.
"""

from pathlib import Path

import pandas as pd

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.files import read_text
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.artifacts.mmlu import ANSWERS, RESULTS, MMLUResults, read_answers, read_results
from medqa_core.runs.artifacts.predictions import PREDICTIONS, read_predictions
from medqa_core.runs.artifacts.trials import TRIALS, Trials, read_trials
from medqa_core.runs.artifacts.with_sources import WITH_SOURCES, read_with_sources
from medqa_core.runs.metrics_log.log import MetricsLog, read_metrics_log
from medqa_core.runs.reading import Reading, read_optional, read_optional_model
from medqa_core.runs.schema.evaluation import Evaluation

EVALUATION = "evaluation.json"
WRITE_UPS = ("summary.txt", "summary.md", "summary.html", "README.md")


def evaluation(folder: Path) -> Reading[Evaluation | None]:
    """The comparison of base and fine-tuned model."""
    return read_optional_model(folder, EVALUATION, Evaluation)


def metrics_log(folder: Path) -> Reading[MetricsLog]:
    """The loss curve."""
    log = read_metrics_log(folder)
    return Reading(log, log.problems)


def predictions(folder: Path) -> Reading[pd.DataFrame | None]:
    """One row a test question."""
    return read_optional(folder, PREDICTIONS, read_predictions)


def with_sources(folder: Path) -> Reading[pd.DataFrame | None]:
    """One row a test question that was answered after reading passages."""
    return read_optional(folder, WITH_SOURCES, read_with_sources)


def mmlu(folder: Path) -> Reading[MMLUResults | None]:
    """The MMLU results."""
    return read_optional(folder, RESULTS, read_results)


def mmlu_answers(folder: Path) -> Reading[pd.DataFrame | None]:
    """One row a question of MMLU."""
    return read_optional(folder, ANSWERS, read_answers)


def trials(folder: Path) -> Reading[Trials]:
    """The trials that led to this run, header first."""
    found = read_optional(folder, TRIALS, read_trials)
    return Reading(found.value or (), found.problems)


def write_up(folder: Path, name: str) -> Reading[str | None]:
    """The text of one of `WRITE_UPS`.

    Raises:
        InputError: `name` is not one of them.
    """
    if name not in WRITE_UPS:
        raise InputError(f"{shorten(name)!r} is not a write-up; allowed: {', '.join(WRITE_UPS)}.")
    return read_optional(folder, name, lambda place: read_text(resolve_inside(place, name)))
