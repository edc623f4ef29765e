"""A worker: one of the processes that train a run, the first time and after the cluster lost one of them."""

import os
import socket
from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import torch.distributed

import medqa_core
from medqa_core.cluster.nodes.run_workspace import local_workspace, watch_stop_requests
from medqa_core.cluster.request import ClusterRequest
from medqa_core.cluster.storage import Storage
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import write_status
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import ProcessIdentity, Status, now
from medqa_core.runs.status_writer import GRACE_SECONDS, is_main
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.callbacks import Callback, noop
from medqa_core.training.stop import StopFlag
from medqa_core.training.train import resume

RETRYABLE = ("fault", "killed", None)
"""Causes of a failure that another attempt may not meet: a process that lost its peers fails like this."""


def train_worker(values: dict[str, Any]) -> None:
    """The entry of every worker of a training; Ray has made them one process group."""
    request = ClusterRequest.read(values)
    run_worker(request, request.name, [request.name])


def run_worker(
    request: ClusterRequest,
    run_id: str,
    stop_names: list[str],
    *,
    make: Callable[[RunStore], Run] | None = None,
    on_validation: Callback = noop,
    at_end: Callable[[Run], object] = lambda _: None,
) -> None:
    """Train the run from its newest checkpoint; nothing where it has ended already.

    Args:
        request: what the cluster was asked to do.
        run_id: which run of it.
        stop_names: names under which a stop may be asked for in the storage.
        make: makes the run where the storage does not hold it yet; None where the launcher did.
        on_validation: as for `resume`.
        at_end: gets the run in the main process when the training has ended, before its last copy is made.

    Raises:
        InputError: this node has another version of the program, or not the storage.
        MedQAError: several processes train, and this one cannot continue; the run's status says why.
    """
    if request.version != medqa_core.__version__:
        raise InputError(
            f"{socket.gethostname()} has version {medqa_core.__version__} of MedQA Lab, the launcher "
            f"{request.version}: install the same everywhere."
        )
    storage, stop, main = Storage.at(request.storage), StopFlag(), is_main()
    with local_workspace(storage, run_id, Settings.from_environment(), main=main) as here:
        store = RunStore(here.reports)
        run = make(store) if make is not None and not store.path(run_id).exists() else store.open(run_id)
        ended = has_ended(run)
        _leave_process_group()
        if ended:
            return
        claim_run(run)
        with watch_stop_requests(storage, stop_names, stop) if main else nullcontext():
            try:
                resume(run, here, on_validation=on_validation, stop=stop)
            except MedQAError:
                if _distributed():  # the others wait for this process: only Ray can end them
                    raise
        if main:
            at_end(run)


def has_ended(run: Run) -> bool:
    """Whether an earlier attempt has ended the run for good."""
    status = run.status()
    if status is None or status.started_at is None:
        return False
    return status.state in ("completed", "stopped") or (status.state == "failed" and status.cause not in RETRYABLE)


def claim_run(run: Run) -> None:
    """Note that this process trains the run from here on: Ray has ended those that did."""
    before, moment = run.status() or Status(state="running"), now()
    changes: dict[str, Any] = {"process": ProcessIdentity.current(), "stage": "starting", "error": None, "cause": None}
    changes |= {"heartbeat": moment, "next_heartbeat": moment + timedelta(seconds=GRACE_SECONDS), "finished_at": None}
    write_status(run.folder, before.model_copy(update={**changes, "state": "running"}))


def _distributed() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _leave_process_group() -> None:
    """Wait until every process has its copy, then leave the group that Ray has made; the environment still names it.

    From there on everything is as under `accelerate launch`, which makes the group when the model is there: a library
    that saves a converted model inside a group does so in its first process only, and each node needs one. The new
    group meets at another port: at the old one it would find what the first group left there.
    """
    if not _distributed() or not torch.distributed.is_initialized():
        return
    port = [_free_port()]
    torch.distributed.broadcast_object_list(port, src=0)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
    os.environ["MASTER_PORT"] = str(port[0])


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])
