"""A run as the report looks at it: thin questions to one snapshot of its folder, for every sentence made from it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medqa_core.foundation.format import words
from medqa_core.runs.artifacts.int8 import Int8Cost
from medqa_core.runs.artifacts.mmlu import MMLUResults, scored
from medqa_core.runs.artifacts.model_judge import ModelJudge
from medqa_core.runs.artifacts.retrieval import Retrieval
from medqa_core.runs.artifacts.series import SERIES, Series
from medqa_core.runs.artifacts.trials import Trials
from medqa_core.runs.artifacts.votes import Vote
from medqa_core.runs.metrics_log.log import METRICS_LOG, Curve, MetricsLog
from medqa_core.runs.readers import EVALUATION
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, Generation, Metric
from medqa_core.runs.schema.record import RunRecord, TrainingKind
from medqa_core.runs.schema.status import Status
from medqa_core.runs.snapshot import RunSnapshot


@dataclass(frozen=True, eq=False)
class Facts:
    """What can be computed from a run, on one snapshot of its folder; a part that is missing is None or empty."""

    snapshot: RunSnapshot

    @classmethod
    def of(cls, run: "Run | RunSnapshot | Facts") -> "Facts":
        """The facts of a run as it is now or of a snapshot; facts stay as they are, so that one serves many callers."""
        if isinstance(run, Facts):
            return run
        return cls(run.snapshot() if isinstance(run, Run) else run)

    @property
    def run(self) -> Run:
        """The run itself, whose methods read the disk."""
        return Run(self.snapshot.folder, self.snapshot.record)

    @property
    def record(self) -> RunRecord:
        """The run.json."""
        return self.snapshot.record

    @property
    def status(self) -> Status | None:
        """What the worker last said."""
        return self.snapshot.status

    @property
    def imported(self) -> bool:
        """Whether the figures are someone else's."""
        return self.snapshot.imported

    @property
    def in_progress(self) -> bool:
        """Whether the run waits for its turn, is being trained or evaluated."""
        return self.snapshot.in_progress

    @property
    def evaluation(self) -> Evaluation | None:
        """The comparison of base and fine-tuned model."""
        return self.snapshot.evaluation

    @property
    def evaluation_problem(self) -> str | None:
        """What is wrong with an evaluation.json that is there and cannot be read, in one line; None for any other."""
        found = self.snapshot.problems_by_file.get(EVALUATION, ())
        return words(found[0]) if found and self.evaluation is None else None

    @property
    def metrics_log(self) -> MetricsLog:
        """The loss curve."""
        return self.snapshot.metrics_log

    @property
    def series(self) -> tuple[Series, ...]:
        """What an imported run's source logged beside the losses, and the losses of several evaluation sets."""
        return self.snapshot.series

    @property
    def training(self) -> TrainingKind | None:
        """A training whose loss says nothing of how well answers are predicted; None for a supervised one."""
        return self.record.imported.training if self.record.imported is not None else None

    @property
    def predictions(self) -> pd.DataFrame | None:
        """One row a test question; None where there is no row."""
        return _filled(self.snapshot.predictions)

    @property
    def with_sources_rows(self) -> pd.DataFrame | None:
        """One row a test question that was answered after reading passages; None where there is no row."""
        return _filled(self.snapshot.with_sources_rows)

    @property
    def mmlu(self) -> MMLUResults | None:
        """The MMLU results."""
        return self.snapshot.mmlu

    @property
    def mmlu_answers(self) -> pd.DataFrame | None:
        """One row an MMLU question with both models' letters; None where they were not asked for letters."""
        answers, results = _filled(self.snapshot.mmlu_answers), self.mmlu
        if answers is None or (results is not None and not results.letters):
            return None
        return answers if results is None or results.scoring == "letter" else scored(answers, "letter")

    @property
    def trials(self) -> Trials:
        """The trials that led to this run, header first; empty where none are written down."""
        return self.snapshot.trials

    @property
    def votes(self) -> tuple[Vote, ...]:
        """The blind votes in the order in which they were cast."""
        return self.snapshot.votes

    @property
    def retrieval(self) -> Retrieval | None:
        """How often the passages found are the right ones."""
        return self.snapshot.retrieval

    @property
    def int8(self) -> Int8Cost | None:
        """What int8 weights cost in quality."""
        return self.snapshot.int8

    @property
    def judge(self) -> ModelJudge | None:
        """What a judge model preferred in all."""
        return self.snapshot.judge

    @property
    def judge_rows(self) -> pd.DataFrame | None:
        """One row a question that a judge model was asked about; None where there is no row."""
        return _filled(self.snapshot.judge_rows)

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read, one line each, for people."""
        return tuple(words(problem) for problem in self.snapshot.problems)

    def metric(self, name: str) -> Metric | None:
        """One metric of evaluation.json."""
        return None if self.evaluation is None else next((m for n, m in self.metrics if n == name), None)

    @property
    def metrics(self) -> list[tuple[str, Metric]]:
        """All metrics of evaluation.json as the file orders them."""
        return [] if self.evaluation is None else [(str(n), m) for n, m in self.evaluation.metrics.items()]

    @property
    def generations(self) -> tuple[Generation, Generation] | None:
        """How both models' answers came out, or None where one of them is not known."""
        e = self.evaluation
        if e is None or e.base_generation is None or e.fine_tuned_generation is None:
            return None
        return e.base_generation, e.fine_tuned_generation

    def pairs(self, column: str) -> pd.DataFrame | None:
        """The test questions for which both models have a finite number in `column`, base first; None if none."""
        if self.predictions is None:
            return None
        frame = self.predictions[["question_id", "group_id", f"base_{column}", f"fine_tuned_{column}"]]
        frame = frame.set_axis(["question_id", "group_id", "base", "fine_tuned"], axis=1)
        numbers = frame[["base", "fine_tuned"]].to_numpy(dtype=np.float64, na_value=np.nan)
        kept = np.isfinite(numbers).all(axis=1)
        frame = frame.assign(base=numbers[:, 0], fine_tuned=numbers[:, 1])[kept]
        return frame.assign(group_id=frame["group_id"].fillna(frame["question_id"])) if len(frame) else None

    def by_group(self, column: str) -> pd.DataFrame | None:
        """`pairs` with one row a group, its mean: what a test may count, since questions of a group are alike."""
        frame = self.pairs(column)
        return None if frame is None else frame.groupby("group_id", sort=True)[["base", "fine_tuned"]].mean()


def _filled(table: pd.DataFrame | None) -> pd.DataFrame | None:
    return table if table is not None and len(table) else None


@dataclass(frozen=True, eq=False)
class Points:
    """The finite losses of one curve, in step order."""

    steps: np.ndarray
    losses: np.ndarray
    epochs: np.ndarray
    of_set: str | None = None
    """Which of several evaluation sets the losses are of; None: the only one, or the training."""

    @classmethod
    def of_series(cls, series: Series) -> "Points":
        """The losses of one of several evaluation sets."""
        steps, losses = series.arrays
        return cls(steps, losses, np.full(len(steps), np.nan), series.evaluation_set)

    @property
    def called(self) -> str:
        """What a sentence about validation losses begins with."""
        return "Validation loss" if self.of_set is None else f"Validation loss on {words(self.of_set, 60)}"

    @classmethod
    def of(cls, curve: Curve) -> "Points":
        """The rows of a curve that have a finite loss."""
        kept = np.isfinite(curve["loss"])
        return cls(curve["step"][kept], curve["loss"][kept], curve["epoch"][kept])

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def best(self) -> int:
        """The place of the lowest loss, the first of equals."""
        return int(np.argmin(self.losses))

    def step(self, place: int) -> int:
        """The step at a place."""
        return int(self.steps[place])

    def cite(self, place: int) -> str:
        """The row at a place, as evidence."""
        split = "validation" if self.of_set is None else f"validation on {words(self.of_set, 60)}"
        file = METRICS_LOG if self.of_set is None else SERIES
        return f"{file}, {split}, step {self.step(place):,}: loss {self.losses[place]:.4f}"
