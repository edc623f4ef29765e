"""Copies runs from an address into the store here every few seconds, so that the pages show their progress."""

import time
from collections.abc import Callable, Sequence

from medqa_core.cluster.mirror import Mirror
from medqa_core.cluster.storage import Storage
from medqa_core.foundation.errors import InputError
from medqa_core.runs.artifacts import stop_request
from medqa_core.runs.schema.status import LIVE
from medqa_core.runs.store.run_store import RunStore

EVERY_SECONDS = 3.0
PATIENCE = 60.0
"""Seconds for which a run that has failed or was lost is still followed: the cluster may put it on another node."""


class Follower:
    """Copies of runs in a store here."""

    def __init__(self, storage: Storage, store: RunStore) -> None:
        self._storage = storage
        self._store = store
        self._mirrors: dict[str, Mirror] = {}

    def round(self, run_ids: Sequence[str]) -> int:
        """Bring these runs up to date, and pass on stops that were requested here; how many files were copied.

        Raises:
            OSError: the storage cannot be read, or the store not be written.
            OutsideStore: a run there has a file whose name leads out of its folder.
        """
        copied = 0
        for run_id in run_ids:
            folder = self._store.path(run_id)
            if run_id not in self._mirrors:
                self._mirrors[run_id] = self._storage.mirror(run_id, folder)
            copied += self._mirrors[run_id].pull()
            if stop_request.asked(folder):
                self._storage.request_stop(run_id)
                stop_request.withdraw(folder)
        return copied


def follow(
    storage: Storage,
    store: RunStore,
    run_ids: Sequence[str] | None,
    *,
    once: bool = False,
    on_round: Callable[[list[str]], object] = lambda _: None,
) -> list[str]:
    """Mirror these runs, or all there are, until all of them have ended; their ids.

    Args:
        storage: an address; a folder is a store already.
        store: where the copies go.
        run_ids: which runs; None follows all there are, later ones included.
        once: one round, even if runs are in progress.
        on_round: called after each round with the ids.

    Raises:
        InputError: the storage is a folder, or holds no such run.
        OSError: the storage cannot be reached.
    """
    if storage.folder is not None:
        raise InputError(
            f"{storage.folder} is a folder; set MEDQA_REPORTS to it, and the pages follow it.", field="--storage"
        )
    for run_id in run_ids or ():
        if not storage.holds(run_id):
            raise InputError(f"there is no {run_id!r} in {storage.address}.", field="run")
    follower, idle_since = Follower(storage, store), time.monotonic()
    while True:
        ids = list(run_ids) if run_ids is not None else storage.run_ids()
        follower.round(ids)
        on_round(ids)
        states = {store.open(run_id).state() for run_id in ids}
        if states & LIVE:
            idle_since = time.monotonic()
        settled = states <= {"completed", "stopped", "imported"} or time.monotonic() - idle_since > PATIENCE
        if once or settled:
            return ids
        time.sleep(EVERY_SECONDS)
