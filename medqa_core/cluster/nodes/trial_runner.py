"""Runs one trial: a training that pauses at each validation until it is told whether to continue."""

import math
import queue
import threading
from typing import Any, NamedTuple

from medqa_core.cluster.nodes.worker import run_worker
from medqa_core.cluster.request import ClusterRequest
from medqa_core.cluster.storage import Storage, sweep_name
from medqa_core.jobs.queue import write_status
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import ProcessIdentity, Status
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.stop import Interrupted


class Validation(NamedTuple):
    """A validation of the trial's run."""

    number: int
    """Counted from 1 over all attempts, the untrained model's apart."""
    loss: float


class TrialRunner:
    """Trains in a thread of its own, so that who waits for validations can also end it and wait for the end."""

    def __init__(self, values: dict[str, Any]) -> None:
        """`values` hold the `request` and the `record` of the run to make, or to resume where it exists."""
        self._request, self._record = ClusterRequest.read(values["request"]), RunRecord.model_validate(values["record"])
        assert self._record.config is not None, "a trial is a run to train"
        self._eval_steps = self._record.config.eval_steps
        self._validations: queue.Queue[Validation | None] = queue.Queue()
        self._resume = threading.Semaphore(0)
        self._ended = threading.Event()
        self._ended_at: int | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._train, name="trial", daemon=True)

    def next(self) -> Validation | None:
        """Train to the next validation; None where the training has ended.

        Raises:
            Exception: what the training failed with, unless the run itself says so.
        """
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._resume.release()
        reached = self._validations.get()
        if reached is None and self._error is not None:
            raise self._error
        return reached

    def end(self) -> None:
        """End it where it stands, with a checkpoint, and wait until all of it is in the storage."""
        self._ended.set()
        self._resume.release()
        if self._thread.ident is not None:
            self._thread.join()

    def _train(self) -> None:
        whole = sweep_name(self._request.name)
        try:
            # Not where the sweep was stopped while this trial waited.
            if not Storage.at(self._request.storage).stop_requested(whole):
                stop_names = [self._record.id, whole]
                run_worker(
                    self._request, self._record.id, stop_names,
                    make=self._make, on_validation=self._report, at_end=self._note_reason,
                )  # fmt: skip
        except BaseException as error:  # noqa: BLE001  it is raised where the validation is waited for
            self._error = error
        finally:
            self._validations.put(None)

    def _make(self, store: RunStore) -> Run:
        running = Status(state="running", process=ProcessIdentity.current(), stage="starting")
        return store.create(self._record, lambda folder: write_status(folder, running))

    def _report(self, step: int, total: int, loss: float) -> None:
        if not step:  # the untrained model's loss says nothing about the trial
            return
        self._validations.put(Validation(math.ceil(step / self._eval_steps), loss))  # the last step has one as well
        self._resume.acquire()
        if self._ended.is_set() and step < total:
            self._ended_at = step
            raise Interrupted

    def _note_reason(self, run: Run) -> None:
        status = run.status()
        if self._ended_at is not None and status is not None and status.state == "stopped":
            why = (
                f"Ended early by its sweep: at step {self._ended_at} its validation loss was above the median of the "
                "trials that had come as far."
            )
            write_status(run.folder, status.model_copy(update={"error": why}))
