"""A fine-tune on a cluster: its run is created here, trained there, and followed until it ends."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import medqa_core
from medqa_core.cluster.connect import Cluster, ClusterFailed, connected
from medqa_core.cluster.follow import Follower
from medqa_core.cluster.request import ClusterRequest, Scaling
from medqa_core.cluster.storage import Storage
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import check
from medqa_core.jobs.queue import refuse_finished, write_status
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.status import LIVE, ProcessIdentity, Status, end_of, now
from medqa_core.runs.store.run_store import RunStore

DRIVER = "medqa_core.cluster.nodes.driver:drive_training"
PROMISE = timedelta(minutes=10)
"""For so long, readers on other machines believe a run that waits for its nodes."""

Watch = Callable[[list[Run]], object]


def store_for(storage: Storage, settings: Settings) -> RunStore:
    """The store that holds the runs on this machine: the storage itself where it is a folder, else the copies here."""
    return RunStore(storage.folder or settings.reports)


def train_on_cluster(
    config: TrainConfig,
    settings: Settings,
    storage: Storage,
    address: str,
    scaling: Scaling,
    *,
    run_id: str | None = None,
    stopping: Callable[[], bool] = lambda: False,
    watch: Watch = lambda _: None,
) -> Run:
    """Train a new run on the cluster at `address` and return it when it has ended, however.

    `stopping` is asked every other second whether the run is to stop; `watch` gets the run as often.

    Raises:
        InputError: a configuration, id or address that is not valid, or more workers than the cluster has room for.
        RayMissing: Ray is not installed.
        ClusterFailed: the cluster gave up before a worker could say why in the run's status.
    """
    config = check(config, settings)
    store = store_for(storage, settings)
    draft = store.new_record(config, run_id)
    store.check_free(draft.id)
    refuse_taken(storage, draft.id)
    with connected(address) as cluster:
        cluster.refuse_too_much(scaling.workers, scaling.cpus, scaling.gpus)
        run = store.create(draft, lambda folder: write_status(folder, waiting_status(None)))
        return _submit(run, cluster, storage, store, scaling, stopping, watch)


def resume_on_cluster(
    run_id: str,
    settings: Settings,
    storage: Storage,
    address: str,
    scaling: Scaling,
    *,
    stopping: Callable[[], bool] = lambda: False,
    watch: Watch = lambda _: None,
) -> Run:
    """Resume on the cluster a run of the storage that was stopped, cut off or failed.

    Raises:
        InputError: there is no such run, or nothing to train in it; and as `train_on_cluster`.
        RayMissing: as `train_on_cluster`; likewise `ClusterFailed`.
    """
    store = store_for(storage, settings)
    if storage.folder is None:
        if not storage.holds(run_id):
            raise InputError(f"there is no {run_id!r} in {storage.address}.", field="--resume")
        Follower(storage, store).round([run_id])
    run = store.open(run_id)
    refuse_finished(run)
    with connected(address) as cluster:
        cluster.refuse_too_much(scaling.workers, scaling.cpus, scaling.gpus)
        write_status(run.folder, waiting_status(run.status()))
        return _submit(run, cluster, storage, store, scaling, stopping, watch)


def waiting_status(before: Status | None) -> Status:
    """The status of a run that was submitted to a cluster and has no worker yet: the launcher's process stands in."""
    kept = before or Status(state="running")
    moment = now()
    changes: dict[str, Any] = {
        "heartbeat": moment,
        "next_heartbeat": moment + PROMISE,
        "finished_at": None,
        "error": None,
    }
    changes |= {"cause": None, "stage": "waiting for the cluster", "process": ProcessIdentity.current()}
    return kept.model_copy(update={**changes, "state": "running"})


def refuse_taken(storage: Storage, run_id: str) -> None:
    """Do nothing if the storage has no run of that id yet.

    Raises:
        InputError: it has.
    """
    if storage.holds(run_id):
        raise InputError(f"{run_id!r} is taken in {storage.address}; choose another one with --run-id.", field="run id")


def _submit(
    run: Run,
    cluster: Cluster,
    storage: Storage,
    store: RunStore,
    scaling: Scaling,
    stopping: Callable[[], bool],
    watch: Watch,
) -> Run:
    storage.withdraw_stop(run.id)
    request = ClusterRequest(run.id, storage.address, scaling, medqa_core.__version__)
    follower = Follower(storage, store)
    if storage.folder is None:
        storage.mirror(run.id, run.folder).push()
    asked = False

    def on_poll() -> None:
        nonlocal asked
        with suppress(OSError):  # unavailable for a moment; the nodes continue, and the next round tries again
            if storage.folder is None:
                follower.round([run.id])
            if stopping() and not asked:
                storage.request_stop(run.id)
                asked = True
        watch([run])

    try:
        cluster.run(DRIVER, request.plain(), on_poll)
    except ClusterFailed as error:
        _note_failure(run, storage, error)
        if (status := run.status()) is None or status.state not in ("failed", "stopped"):
            raise
    finally:
        storage.withdraw_stop(run.id)
        storage.discard(f".ray-{run.id}")
    if storage.folder is None:
        follower.round([run.id])
    return store.open(run.id)


def _note_failure(run: Run, storage: Storage, error: ClusterFailed) -> None:
    """Where no worker is left to say how the run ended, its status says what the cluster said."""
    status = run.status()
    if status is not None and status.state in LIVE:
        when = end_of(status.started_at)
        ended = {"state": "failed", "stage": None, "error": str(error), "cause": "fault", "finished_at": when}
        write_status(run.folder, status.model_copy(update={**ended, "process": None, "next_heartbeat": None}))
        if storage.folder is None:
            storage.mirror(run.id, run.folder).push()
