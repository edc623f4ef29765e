"""One reading of a run folder: each file once, for every sentence that is made from it."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from medqa_core.foundation.format import words
from medqa_core.runs.artifacts.mmlu import MMLUResults
from medqa_core.runs.artifacts.trials import Trials
from medqa_core.runs.metrics_log.log import Curve, MetricsLog
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, Generation, Metric
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import Status


@dataclass(frozen=True, eq=False)
class Facts:
    """What a run folder holds; a part that is missing or unreadable is None or empty."""

    run: Run
    status: Status | None
    evaluation: Evaluation | None
    metrics_log: MetricsLog
    predictions: pd.DataFrame | None
    mmlu: MMLUResults | None
    mmlu_answers: pd.DataFrame | None = None
    """One row an MMLU question with both models' letters; None where they saw no letters (cloze scoring)."""
    trials: Trials = field(default_factory=list)
    """The trials that led to this run, header first; empty where none are written down."""

    @classmethod
    def of(cls, run: "Run | Facts") -> "Facts":
        """The facts of a run; facts stay as they are, so that one reading can serve many callers."""
        if isinstance(run, Facts):
            return run
        fresh = Run(run.folder, run.record)  # so that its problems are those of this reading alone
        frame, mmlu = fresh.predictions(), fresh.mmlu()
        letters = None if mmlu is not None and mmlu.scoring == "cloze" else fresh.mmlu_answers()
        facts = cls(
            fresh,
            fresh.status(),
            fresh.evaluation(),
            fresh.metrics_log(),
            frame if frame is not None and len(frame) else None,
            mmlu,
            letters if letters is not None and len(letters) else None,
            fresh.trials(),
        )
        run.problems += [problem for problem in fresh.problems if problem not in run.problems]
        return facts

    @property
    def record(self) -> RunRecord:
        """The run.json."""
        return self.run.record

    @property
    def imported(self) -> bool:
        """Whether the figures are someone else's."""
        return self.record.kind == "imported"

    @property
    def problems(self) -> list[str]:
        """What could not be read, one line each; a curve that is merely absent is no problem."""
        curve = [p for p in self.metrics_log.problems if not p.startswith("metrics.jsonl is missing")]
        return [words(problem) for problem in dict.fromkeys([*self.run.problems, *curve])]

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


@dataclass(frozen=True, eq=False)
class Points:
    """The finite losses of one curve, in step order."""

    steps: np.ndarray
    losses: np.ndarray
    epochs: np.ndarray

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

    def cite(self, split: str, place: int) -> str:
        """The row at a place, as evidence."""
        return f"metrics.jsonl, {split}, step {self.step(place):,}: loss {self.losses[place]:.4f}"
