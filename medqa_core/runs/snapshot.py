"""One immutable read of a run folder: every part from the same state of its files, with what is wrong with them.

Whoever shows or writes about a run takes one snapshot and hands it on. The next one reads only the files that changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import pandas as pd

from medqa_core.foundation.stamp import FileStamp
from medqa_core.runs import readers, records
from medqa_core.runs.artifacts.int8 import INT8, Int8Cost, read_int8
from medqa_core.runs.artifacts.job import JOB, Job, read_job
from medqa_core.runs.artifacts.labels import LABELS, Labels, labelled, read_labels
from medqa_core.runs.artifacts.mmlu import ANSWERS, RESULTS, MMLUResults
from medqa_core.runs.artifacts.model_judge import JUDGE, JUDGE_ROWS, ModelJudge, read_judge, read_judge_rows
from medqa_core.runs.artifacts.names import stored_name
from medqa_core.runs.artifacts.predictions import PREDICTIONS
from medqa_core.runs.artifacts.retrieval import RETRIEVAL, Retrieval, read_retrieval
from medqa_core.runs.artifacts.series import SERIES, Series, read_series
from medqa_core.runs.artifacts.training_record import TRAINING, TrainingRecord, read_training_record
from medqa_core.runs.artifacts.trials import TRIALS, Trials
from medqa_core.runs.artifacts.votes import VOTES, Vote, read_votes
from medqa_core.runs.artifacts.weights import adapter_folder, model_folder, weights_file
from medqa_core.runs.artifacts.with_sources import WITH_SOURCES
from medqa_core.runs.metrics_log.log import METRICS_LOG, MetricsLog
from medqa_core.runs.outcome import TrainingOutcome, outcome_of
from medqa_core.runs.part_cache import PartCache
from medqa_core.runs.readers import EVALUATION
from medqa_core.runs.reading import Reading
from medqa_core.runs.records import RECORD, STATUS, is_elsewhere, state_of
from medqa_core.runs.schema.evaluation import Evaluation
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import Activity, Status, activity_of, now

T = TypeVar("T")

AT_ONCE = (
    RECORD, STATUS, EVALUATION, PREDICTIONS, WITH_SOURCES, RESULTS, ANSWERS, TRIALS, RETRIEVAL, INT8, TRAINING, JUDGE,
    JUDGE_ROWS, LABELS, SERIES, JOB,
)  # fmt: skip
"""Files that are replaced as a whole: they are read again where one of them is replaced while they are read."""
GROWING = (METRICS_LOG, VOTES)
"""Files that only grow: what they held when they were read is a state of theirs, whatever has come since."""
ATTEMPTS = 3
"""Times that a folder is read until nothing changes meanwhile; of one that never rests the last reading serves."""

_parts = PartCache(parts=1000, size=64 * 2**20)


@dataclass(frozen=True, eq=False)
class RunSnapshot:
    """What a run folder holds; a part that is missing or unreadable is None or empty. Treat tables as read-only."""

    folder: Path
    record: RunRecord
    """run.json, under the title that people gave the run."""
    labels: Labels
    """What people call the run and file it under."""
    status: Status | None
    """What the worker last said; None where no worker ever wrote (an imported run)."""
    state: str
    """`imported`, or the state that a reader may conclude: `lost` depends on a process and not on the files, and is
    as it was when the snapshot was taken."""
    activity: Activity | None
    """What goes on with the run; None where nothing does. That a trained run is being evaluated is known from the
    device alone: `jobs.watch.observe` adds it."""
    taken_at: datetime
    job: Job | None
    """How the run entered the queue; None where it never was in one."""
    evaluation: Evaluation | None
    metrics_log: MetricsLog
    series: tuple[Series, ...]
    """What an imported run's source logged beside the losses, and the losses of several evaluation sets."""
    predictions: pd.DataFrame | None
    with_sources_rows: pd.DataFrame | None
    """One row a test question that was answered after reading passages."""
    mmlu: MMLUResults | None
    mmlu_answers: pd.DataFrame | None
    trials: Trials
    """The trials that led to this run, header first."""
    votes: tuple[Vote, ...]
    retrieval: Retrieval | None
    int8: Int8Cost | None
    training_record: TrainingRecord | None
    """What the training left at its end; None in runs of versions before 0.3, and before its end."""
    judge: ModelJudge | None
    """What a judge model preferred in all."""
    judge_rows: pd.DataFrame | None
    """One row a question that a judge model was asked about."""
    adapter_folder: Path | None
    """The folder of the adapter, if the run has one."""
    model_folder: Path | None
    """The folder of the whole fine-tuned model, if the run has one."""
    weights_file: Path | None
    """The file of the fine-tuned weights: the adapter's, else the whole model's."""
    problems_by_file: Mapping[str, tuple[str, ...]]
    """What is wrong with the files that could not be read in full, one line each."""

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read, one line each; a file that is merely absent is no problem."""
        return tuple(dict.fromkeys(line for lines in self.problems_by_file.values() for line in lines))

    @property
    def id(self) -> str:
        """The run's id: the folder's name, whatever run.json says."""
        return self.folder.name

    @property
    def imported(self) -> bool:
        """Whether the figures are someone else's."""
        return self.record.figures_are_reported

    @property
    def in_progress(self) -> bool:
        """Whether the run waits for its turn, is being trained or evaluated: it looks different in a few seconds."""
        return self.activity is not None

    @property
    def elsewhere(self) -> bool:
        """Whether another machine says that it trains the run."""
        return is_elsewhere(self.status)

    @property
    def progress(self) -> float | None:
        """How much of the training is done, 0 to 1; None until the number of steps is known."""
        return self.status.progress if self.status is not None else None

    @property
    def outcome(self) -> TrainingOutcome:
        """What came of the training: whether it changed anything, and whether it diverged."""
        return outcome_of(self.metrics_log, self.status, self.training_record)

    @property
    def has_model(self) -> bool:
        """Whether the run holds a model to ask."""
        return self.weights_file is not None


def read_snapshot(folder: Path, record: RunRecord) -> RunSnapshot:
    """The run in `folder` as it is now. Raises nothing.

    Args:
        folder: the run's folder.
        record: what its run.json said when the run was opened; it stands in where that cannot be read any more.
    """
    stamps, snapshot = _read(folder, record)
    for _ in range(ATTEMPTS - 1):
        if stamps == _stamps(folder):
            break
        stamps, snapshot = _read(folder, record)
    return snapshot


def forget() -> None:
    """Drop what is kept of the files that were read, as a new process would begin."""
    _parts.clear()


def _stamps(folder: Path) -> tuple[FileStamp, ...]:
    return tuple(FileStamp.of(f"{folder}/{stored_name(folder, name)}") for name in AT_ONCE)


def _read(folder: Path, opened: RunRecord) -> tuple[tuple[FileStamp, ...], RunSnapshot]:
    stamps = _stamps(folder)
    known = dict(zip(AT_ONCE, stamps, strict=True)) | {name: FileStamp.of(f"{folder}/{name}") for name in GROWING}
    problems: dict[str, tuple[str, ...]] = {}

    def part(name: str, read: Callable[[Path], Reading[T]]) -> T:
        reading = _parts.read(folder, name, known[name], read)
        if reading.problems:
            problems[name] = reading.problems
        return reading.value

    labels = part(LABELS, read_labels)
    record, status = labelled(part(RECORD, records.record) or opened, labels), part(STATUS, records.status)
    state = state_of(record, status)
    return stamps, RunSnapshot(
        folder=folder,
        record=record,
        labels=labels or Labels(),
        status=status,
        state=state,
        activity=activity_of(status, state),
        taken_at=now(),
        job=part(JOB, read_job),
        evaluation=part(EVALUATION, readers.evaluation),
        metrics_log=part(METRICS_LOG, readers.metrics_log),
        series=part(SERIES, read_series),
        predictions=_own(part(PREDICTIONS, readers.predictions)),
        with_sources_rows=_own(part(WITH_SOURCES, readers.with_sources)),
        mmlu=part(RESULTS, readers.mmlu),
        mmlu_answers=_own(part(ANSWERS, readers.mmlu_answers)),
        trials=part(TRIALS, readers.trials),
        votes=part(VOTES, read_votes),
        retrieval=part(RETRIEVAL, read_retrieval),
        int8=part(INT8, read_int8),
        training_record=part(TRAINING, read_training_record),
        judge=part(JUDGE, read_judge),
        judge_rows=_own(part(JUDGE_ROWS, read_judge_rows)),
        adapter_folder=adapter_folder(folder),
        model_folder=model_folder(folder),
        weights_file=weights_file(folder),
        problems_by_file=MappingProxyType(problems),
    )


def _own(table: pd.DataFrame | None) -> pd.DataFrame | None:
    """A table that shares its memory with the kept one until somebody writes to it (pandas copies on write)."""
    return None if table is None else table.copy(deep=False)
