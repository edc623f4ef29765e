"""A run folder on the node that trains it: the shared one, or a copy that is mirrored to the storage as it grows."""

import logging
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from medqa_core.cluster.storage import Storage
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.training.stop import StopFlag

log = logging.getLogger("medqa.train")
EVERY_SECONDS = 2.0


@contextmanager
def local_workspace(storage: Storage, run_id: str, settings: Settings, *, main: bool) -> Iterator[Settings]:
    """Settings whose run store holds the run, as it is in the storage now, or has room for it.

    Processes that write nothing get a copy in any case: the main one replaces checkpoints while they may still read.

    Raises:
        InputError: the storage is a folder that this node does not have.
        OSError: the storage cannot be reached.
    """
    if storage.folder is not None and not storage.folder.is_dir():
        raise InputError(
            f"this node has no folder {storage.folder}; name one that all nodes share, or an address.",
            field="--storage",
        )
    if main and storage.folder is not None:
        yield replace(settings, reports=storage.folder)
        return
    with tempfile.TemporaryDirectory(prefix="medqa-", ignore_cleanup_errors=True) as name:
        here = Path(name) / "reports"
        here.mkdir()
        mirror = storage.mirror(run_id, here / run_id)
        if storage.holds(run_id):
            mirror.pull()
        if not main:
            yield replace(settings, reports=here)
            return
        with repeating(mirror.push, once_more=True):
            yield replace(settings, reports=here)


@contextmanager
def watch_stop_requests(storage: Storage, names: list[str], stop: StopFlag) -> Iterator[None]:
    """Inside the block, a stop requested in the storage, of the run or of its sweep, reaches the training."""

    def check() -> None:
        if not stop.requested and any(storage.stop_requested(name) for name in names):
            stop.request()

    with repeating(check):
        yield


@contextmanager
def repeating(act: Callable[[], object], *, once_more: bool = False) -> Iterator[None]:
    """`act` every other second while the block runs, and after it if `once_more`.

    Raises:
        OSError: the last call failed; earlier ones are tried again when the storage is unavailable for a moment. Some
            storages raise an error of their own: gcsfs an HttpError.
    """
    done = threading.Event()

    def repeat() -> None:
        while not done.wait(EVERY_SECONDS):
            try:
                act()
            except Exception as error:  # noqa: BLE001  this thread must not end before the training
                log.warning("the storage is unavailable (%s); trying again", error)

    thread = threading.Thread(target=repeat, name="storage", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if once_more:
            act()
