"""One run's folder: its files behind readers that never crash."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pydantic import BaseModel, ValidationError

from medqa_core.foundation.errors import InputError, OutsideStore, RunError, UnreadableFile, shorten
from medqa_core.foundation.files import read_json, read_text
from medqa_core.foundation.paths import resolve_inside
from medqa_core.foundation.visible import plain
from medqa_core.runs.artifacts.mmlu import ANSWERS, MMLUResults, parse_results, read_answers
from medqa_core.runs.artifacts.names import stored_name
from medqa_core.runs.artifacts.predictions import PREDICTIONS, read_predictions
from medqa_core.runs.artifacts.trials import TRIALS, Trials, read_trials
from medqa_core.runs.artifacts.with_sources import WITH_SOURCES, read_with_sources
from medqa_core.runs.metrics_log.log import MetricsLog, read_metrics_log
from medqa_core.runs.schema.evaluation import Evaluation
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import Status, derived_state

M = TypeVar("M", bound=BaseModel)
LOG_TAIL = 64 * 1024
WEIGHTS = {"adapter": "adapter_model.safetensors", "model": "model.safetensors"}
"""The folders that hold what was trained, and the file in them that cannot be missing."""
WRITE_UPS = ("summary.txt", "summary.md", "summary.html", "README.md")


@dataclass
class Run:
    """One run folder. Every reader takes the file as it is now and says what is wrong in one line."""

    folder: Path
    record: RunRecord
    problems: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The run's id: the folder's name, whatever run.json says."""
        return self.folder.name

    def status(self) -> Status | None:
        """What the worker last said; None where no worker ever wrote (an imported run) or the file is unreadable."""
        return self._optional("status.json", Status)

    @property
    def state(self) -> str:
        """`imported`, or the state a reader may conclude (see `derived_state`)."""
        if self.record.kind == "imported":
            return "imported"
        status = self.status()
        return derived_state(status) if status else "unknown"

    @property
    def elsewhere(self) -> bool:
        """Whether another machine says that it trains the run."""
        status = self.status()
        return status is not None and status.process is not None and status.process.elsewhere

    def evaluation(self) -> Evaluation | None:
        """The comparison of base and fine-tuned, or None where there is none to read."""
        return self._optional("evaluation.json", Evaluation)

    def metrics_log(self) -> MetricsLog:
        """The loss curve; empty where there is none."""
        return read_metrics_log(self.folder)

    def predictions(self) -> pd.DataFrame | None:
        """One row a test question, or None where there are none to read."""
        try:
            return read_predictions(self.folder)
        except (UnreadableFile, OutsideStore) as error:
            self._note(error, PREDICTIONS)
            return None

    def with_sources(self) -> pd.DataFrame | None:
        """One row a test question that was answered after reading passages, or None where there are none to read."""
        try:
            return read_with_sources(self.folder)
        except (UnreadableFile, OutsideStore) as error:
            self._note(error, WITH_SOURCES)
            return None

    def mmlu(self) -> MMLUResults | None:
        """The MMLU results, or None where there are none to read."""
        name = "mmlu_results/results.json"
        try:
            return parse_results(read_json(resolve_inside(self.folder, name)))
        except (RunError, ValueError) as error:
            self._note(error, name)
            return None

    def mmlu_answers(self) -> pd.DataFrame | None:
        """One row a question of MMLU, or None where there are none to read."""
        try:
            return read_answers(self.folder)
        except (UnreadableFile, OutsideStore) as error:
            self._note(error, ANSWERS)
            return None

    def trials(self) -> Trials:
        """The trials that led to this run, header first; empty where none are written down."""
        try:
            return read_trials(self.folder)
        except (UnreadableFile, OutsideStore) as error:
            self._note(error, TRIALS)
            return []

    def write_up(self, name: str) -> str | None:
        """The text of one of `WRITE_UPS`, or None."""
        if name not in WRITE_UPS:
            raise InputError(f"{shorten(name)!r} is not a write-up; allowed: {', '.join(WRITE_UPS)}.")
        try:
            return read_text(resolve_inside(self.folder, name))
        except RunError as error:
            self._note(error, name)
            return None

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

    @property
    def adapter(self) -> Path | None:
        """The folder of the adapter, if the run has one."""
        return self._folder("adapter")

    @property
    def model(self) -> Path | None:
        """The folder of the whole fine-tuned model, if the run has one."""
        return self._folder("model")

    def _folder(self, name: str) -> Path | None:
        try:
            path = resolve_inside(self.folder, name)
            return path if resolve_inside(self.folder, name, WEIGHTS[name]).is_file() else None
        except (OSError, OutsideStore):
            return None

    def _optional(self, name: str, model: type[M]) -> M | None:
        try:
            return read_model(self.folder, name, model)
        except RunError as error:
            self._note(error, name)
            return None

    def _note(self, error: Exception, name: str) -> None:
        """Remember what is wrong with a file that is there; one that is merely absent is no problem."""
        if os.path.lexists(self.folder / stored_name(self.folder, name)) and str(error) not in self.problems:
            self.problems.append(str(error))


def read_model(folder: Path, name: str, model: type[M]) -> M:
    """A JSON file of a run folder as `model`.

    Raises:
        UnreadableFile: missing, torn, too large, or not what the contract says.
        OutsideStore: a link that leaves the folder.
    """
    value = read_json(resolve_inside(folder, name))
    known = model.model_fields["schema_version"].default if "schema_version" in model.model_fields else 1
    found = value.get("schema_version") if isinstance(value, dict) else None
    if isinstance(found, int) and found > known:
        version = shorten(str(found), 20)
        raise UnreadableFile(f"{name} was written by a newer MedQA Lab (schema {version}).")
    try:
        return model.model_validate(value)
    except (ValidationError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            raise UnreadableFile(f"{name} is nested too deeply.") from error
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UnreadableFile(plain(f"{name} is not valid: {shorten(where)}: {first['msg']}.")) from error


def read_beside(folder: Path, name: str, model: type[M], problems: list[str] | None = None) -> M | None:
    """A JSON file that only some pages read, or None; one that is there and cannot be read is added to `problems`."""
    try:
        return read_model(folder, name, model)
    except RunError as error:
        if problems is not None and os.path.lexists(folder / name) and str(error) not in problems:
            problems.append(str(error))
        return None
