"""The one builder of runs: run folders of every kind, written with the program's own writers."""

import json
import shutil
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from medqa_core.foundation.files import write_json, write_text
from medqa_core.runs.artifacts.predictions import write_predictions
from medqa_core.runs.metrics_log.log import MetricsLogWriter
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord, RunRecord
from medqa_core.runs.schema.status import ProcessIdentity, Status
from medqa_core.runs.store.run_store import RunStore
from tests.support.scenarios import STORED, Fields, Scenario, curve_rows, predictions

GONE = ProcessIdentity(pid=2**22 - 1, created=1.0, boot="another")
"""A process that is no more."""


class RunBuilder:
    """Makes runs in one store and fills their files with the figures of a scenario."""

    def __init__(self, store: RunStore | Path, scenario: Scenario) -> None:
        self.store = store if isinstance(store, RunStore) else RunStore(store)
        self.scenario = scenario

    @property
    def folder(self) -> Path:
        """The store's."""
        return self.store.folder

    def run(self, run_id: str | None = None, **changes: Any) -> Run:
        """A fine-tune with nothing but its run.json."""
        return self.store.create(record(run_id, self.scenario, **changes))

    def imported(self, run_id: str | None = None, *, source: Fields | None = None, **changes: Any) -> Run:
        """A run that someone else's summary describes; `source`: changes to its ImportRecord."""
        values = {**self.scenario.imported, **changes}
        values["imported"] = ImportRecord(**{**self.scenario.imported["imported"], **(source or {})})
        return self.store.create(RunRecord(**(values | ({"id": run_id} if run_id else {}))))

    def finished(self, run_id: str | None = None, **changes: Any) -> Run:
        """A fine-tune with every file."""
        run = self.run(run_id, **changes)
        self._log(run, self.scenario.curve)
        self.status(run)
        self.evaluation(run)
        self.predictions(run)
        write_json(run.folder / "mmlu_results" / "results.json", self.scenario.mmlu)
        for name, content in self.scenario.texts.items():
            (run.folder / name).parent.mkdir(exist_ok=True)
            write_text(run.folder / name, content)
        return run

    def running(self, run_id: str = "running", *, state: str = "running") -> Run:
        """A fine-tune at its twelfth step, which this process seems to train."""
        run = self._later(run_id, "Still going", 1)
        alive = ProcessIdentity.current()
        self._progress(run, state=state, step=12, epoch=0.4, stage="training", process=alive)
        self._log(run, [row for row in self.scenario.curve if row["step"] <= 12])
        return run

    def lost(self, run_id: str = "lost") -> Run:
        """A fine-tune whose process is gone."""
        run = self.running(run_id)
        self._progress(run, state="running", step=12, epoch=0.4, process=GONE)
        return run

    def failed(self, run_id: str = "failed", *, error: str = "The disk is full.", cause: str | None = None) -> Run:
        """A fine-tune that ended with an error before its first logged step."""
        run = self._later(run_id, "It failed", 2)
        self._progress(run, state="failed", step=7, error=error, cause=cause)
        return run

    def broken(self, run_id: str = "broken") -> Path:
        """The folder of a run whose run.json is torn, so that it does not open."""
        folder = self.folder / run_id
        folder.mkdir()
        write_text(folder / "run.json", '{"schema_version": 1, "id": "broken", ')
        return folder

    def torn(self, run_id: str = "torn") -> Run:
        """A run whose run.json opens; everything else is damaged."""
        run = self.finished(run_id)
        write_text(run.folder / "evaluation.json", '{"schema_version": 1, "metrics": {"loss": {"base": NaN}}}')
        (run.folder / "predictions.parquet").write_bytes(b"PAR1 not really")
        (run.folder / "status.json").write_bytes(b"\xff\xfe\x00")
        (run.folder / "mmlu_results" / "results.json").write_text("[]")
        with open(run.folder / "metrics.jsonl", "ab") as file:
            file.write(b'{"step": 61, "spl')
        return run

    def whole(self, source: Run, run_id: str = "whole") -> Run:
        """A copy of a run that was trained and evaluated, with all that other verbs add to a run."""
        from tests.support.whole_run import add_everything  # it needs torch, which the other runs do not

        run = self.copy(source, run_id)
        add_everything(run)
        return self.store.open(run_id)

    def copy(self, source: Run, run_id: str) -> Run:
        """A copy of a run, of this store or another, under an id of its own."""
        folder = shutil.copytree(source.folder, self.folder / run_id)
        rewrite(folder / "run.json", id=run_id)
        return self.store.open(run_id)

    def status(self, run: Run, **changes: Any) -> None:
        """The status.json of a run that completed."""
        self._progress(run, **{**self.scenario.completed, **changes})

    def curve(self, run: Run, validation: Iterable[float] = (), train: Iterable[float] = (), every: int = 10) -> None:
        """Another metrics.jsonl: a training loss each `every` steps, a validation loss each ten times as many."""
        self._log(run, curve_rows(list(validation), list(train), every))

    def evaluation(self, run: Run, **changes: Any) -> None:
        """An evaluation.json."""
        write_json(run.folder / "evaluation.json", {**self.scenario.evaluation, **changes})

    def predictions(self, run: Run, rows: int | None = None, **columns: Any) -> None:
        """A predictions.parquet."""
        made = self.scenario.columns(self.scenario.questions if rows is None else rows)
        write_predictions(run.folder, predictions({**made, **columns}))

    def _later(self, run_id: str, title: str, after: int) -> Run:
        """A run made so many minutes and numbers after the scenario's."""
        values = self.scenario.record
        moment = values["created_at"] + timedelta(minutes=after)
        return self.run(run_id, title=title, number=values["number"] + after, created_at=moment)

    def _progress(self, run: Run, **values: Any) -> None:
        status = Status.model_validate({**self.scenario.started, **values})
        write_json(run.folder / "status.json", status.model_dump(mode="json"))

    def _log(self, run: Run, rows: Iterable[Fields]) -> None:
        path = run.folder / "metrics.jsonl"
        path.unlink(missing_ok=True)
        writer = MetricsLogWriter(path)
        for row in rows:
            writer.append(**row)
        writer.close()


def record(run_id: str | None = None, scenario: Scenario = STORED, **changes: Any) -> RunRecord:
    """The run.json of a scenario's fine-tune."""
    return RunRecord(**({**scenario.record, **changes} | ({"id": run_id} if run_id else {})))


def good_run(store: RunStore, run_id: str = "good") -> Run:
    """A complete run folder of a finished fine-tune, as small as it can be."""
    return RunBuilder(store, STORED).finished(run_id)


def rewrite(path: Path, **changes: Any) -> None:
    """Change fields of a JSON file, NaN and all."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def read_everything(run: Run) -> None:
    """Call every reader of a run; none may raise."""
    run.status()
    run.evaluation()
    run.metrics_log()
    run.predictions()
    run.mmlu()
    run.write_up("summary.txt")
    run.log_tail()
    assert run.state()
    assert run.weights_file() is None
    assert all("\n" not in problem for problem in run.snapshot().problems)
