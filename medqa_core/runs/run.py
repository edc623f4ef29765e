"""One run's folder: its files behind readers that never crash.

Its record and status are read with what a list of runs needs; the readers of everything else load pandas and Arrow,
half a second of imports, and are imported by the first method that reads a part.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medqa_core.foundation.errors import OutsideStore
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs import records
from medqa_core.runs.artifacts import weights
from medqa_core.runs.artifacts.labels import Labels, labelled, read_labels
from medqa_core.runs.reading import read_model
from medqa_core.runs.records import is_elsewhere, state_of
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import Status

if TYPE_CHECKING:
    import pandas as pd

    from medqa_core.runs.artifacts.mmlu import MMLUResults
    from medqa_core.runs.artifacts.trials import Trials
    from medqa_core.runs.metrics_log.log import MetricsLog
    from medqa_core.runs.schema.evaluation import Evaluation
    from medqa_core.runs.snapshot import RunSnapshot

LOG_TAIL = 64 * 1024
"""Bytes at the end of train.log that are read."""


@dataclass(frozen=True)
class Run:
    """One run folder, as it was opened. Every method reads the disk and takes the files as they are now.

    Who needs more than one part, or what is wrong with a file, takes a `snapshot`; the methods that give one part give
    None, or something empty, where it is missing or cannot be read.
    """

    folder: Path
    record: RunRecord
    """What run.json said when the run was opened, under the title that people gave the run."""

    @classmethod
    def at(cls, folder: Path, labels: Labels | None = None) -> "Run":
        """The run in a folder.

        Args:
            folder: the run's.
            labels: what its labels.json says, where that has been read already.

        Raises:
            UnreadableFile: its run.json cannot be read.
            OutsideStore: its run.json is a link that leaves the folder.
        """
        record = read_model(folder, records.RECORD, RunRecord)
        return cls(folder, labelled(record, labels or read_labels(folder).value))

    @property
    def id(self) -> str:
        """The run's id: the folder's name, whatever run.json says."""
        return self.folder.name

    def snapshot(self) -> "RunSnapshot":
        """All parts as they are now, with what is wrong with them; files that did not change are not read again."""
        from medqa_core.runs.snapshot import read_snapshot

        return read_snapshot(self.folder, self.record)

    def status(self) -> Status | None:
        """What the worker last said; None where no worker ever wrote (an imported run) or the file is unreadable."""
        return records.status(self.folder).value

    def state(self) -> str:
        """`imported`, or the state a reader may conclude (see `derived_state`)."""
        return state_of(self.record, None if self.record.kind == "imported" else self.status())

    def elsewhere(self) -> bool:
        """Whether another machine says that it trains the run."""
        return is_elsewhere(self.status())

    def evaluation(self) -> "Evaluation | None":
        """The comparison of base and fine-tuned model."""
        from medqa_core.runs import readers

        return readers.evaluation(self.folder).value

    def metrics_log(self) -> "MetricsLog":
        """The loss curve."""
        from medqa_core.runs import readers

        return readers.metrics_log(self.folder).value

    def predictions(self) -> "pd.DataFrame | None":
        """One row a test question."""
        from medqa_core.runs import readers

        return readers.predictions(self.folder).value

    def with_sources(self) -> "pd.DataFrame | None":
        """One row a test question that was answered after reading passages."""
        from medqa_core.runs import readers

        return readers.with_sources(self.folder).value

    def mmlu(self) -> "MMLUResults | None":
        """The MMLU results."""
        from medqa_core.runs import readers

        return readers.mmlu(self.folder).value

    def mmlu_answers(self) -> "pd.DataFrame | None":
        """One row a question of MMLU."""
        from medqa_core.runs import readers

        return readers.mmlu_answers(self.folder).value

    def trials(self) -> "Trials":
        """The trials that led to this run, header first."""
        from medqa_core.runs import readers

        return readers.trials(self.folder).value

    def write_up(self, name: str) -> str | None:
        """The text of one of `readers.WRITE_UPS`.

        Raises:
            InputError: `name` is not one of them.
        """
        from medqa_core.runs import readers

        return readers.write_up(self.folder, name).value

    def log_tail(self) -> str:
        """The end of train.log; empty where there is none."""
        try:
            path = resolve_inside(self.folder, "train.log")
            if not path.is_file():  # opening a named pipe would wait for a writer
                return ""
            with open(path, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_TAIL))
                return file.read(LOG_TAIL).decode("utf-8", "replace")
        except (OSError, OutsideStore):
            return ""

    def adapter_folder(self) -> Path | None:
        """The folder of the adapter, if the run has one."""
        return weights.adapter_folder(self.folder)

    def model_folder(self) -> Path | None:
        """The folder of the whole fine-tuned model, if the run has one."""
        return weights.model_folder(self.folder)

    def weights_file(self) -> Path | None:
        """The file of the fine-tuned weights: the adapter's, else the whole model's; None where it has neither."""
        return weights.weights_file(self.folder)
