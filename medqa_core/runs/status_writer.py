"""The worker's side of `status.json`: it says what it does, and that it is alive, every few seconds."""

import os
import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from medqa_core.foundation.disk import trouble
from medqa_core.foundation.files import write_json
from medqa_core.runs.schema.status import ProcessIdentity, Status, end_of, now

HEARTBEAT_SECONDS = 5
GRACE_SECONDS = 60
"""The next heartbeat is promised this much later than it is due, for machines that stall."""
SPARE = ".status.spare"
SPARE_BYTES = 16 * 1024
"""Room that is kept while a worker lives, so that it can say on a full disk that the disk is full."""
NO_ROOM = "The disk is full, so the training did not start. Free some space, then resume the run."
KEPT = ("started_at", "train_seconds", "step", "total_steps", "epoch", "best", "tokens")
"""What a resumed run takes over from its last attempt."""


def is_main() -> bool:
    """Whether this is the process that writes: the only one, or the first of those that `accelerate launch` made."""
    return int(os.environ.get("RANK", "0")) == 0


class StatusWriter:
    """Keeps one run's `status.json` current while its block runs; the only writer of that file."""

    def __init__(self, folder: Path, before: Status | None = None) -> None:
        """`before` is what an earlier attempt left, or the wait in the queue: its counters go on."""
        self.path = folder / "status.json"
        self.status = Status(state="running", process=ProcessIdentity.current(), started_at=now())
        if before is not None and before.started_at is not None:
            kept = {name: getattr(before, name) for name in KEPT}
            self.status = self.status.model_copy(update={**kept, "attempt": before.attempt + 1})
        self._spare = folder / SPARE
        self._trouble: OSError | None = None
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "StatusWriter":
        try:
            self._spare.write_bytes(os.urandom(SPARE_BYTES))  # zeros would take no room on a disk that packs them
            self.update()
        except OSError as error:
            self._give_room()
            if trouble(error) == "full":
                with suppress(OSError):
                    self.update(state="failed", stage=None, error=NO_ROOM, cause="disk")
            raise
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        try:
            if self.status.state in ("running", "stopping"):
                self.update(state="failed", error="The worker exited without giving a reason; see train.log.")
        finally:
            self._give_room()

    def update(self, **changes: Any) -> None:
        """Change fields and write the file; a final state sets `finished_at`, and finds room on a disk that is full.

        Raises:
            OSError: the file cannot be written, or a heartbeat has found that the disk fails.
        """
        with self._lock:
            moment = now()
            live = changes.get("state", self.status.state) in ("running", "stopping")
            if live:
                self._raise_trouble()
            stamps: dict[str, Any] = {"heartbeat": moment}
            stamps["next_heartbeat"] = moment + timedelta(seconds=HEARTBEAT_SECONDS + GRACE_SECONDS) if live else None
            if not live:
                stamps["finished_at"] = end_of(self.status.started_at)
            self.status = Status.model_validate({**dict(self.status), **stamps, **changes})
            self._write(last=not live)

    def note(self, **changes: Any) -> None:
        """Change fields without a write: the next heartbeat carries them. For what changes every step.

        Raises:
            OSError: a heartbeat has found that the disk fails.
        """
        with self._lock:
            self._raise_trouble()
            self.status = Status.model_validate({**dict(self.status), **changes})

    def _write(self, *, last: bool) -> None:
        content = self.status.model_dump(mode="json")
        try:
            write_json(self.path, content)
        except OSError as error:
            if not last or trouble(error) != "full":
                raise
            self._give_room()
            write_json(self.path, content)

    def _give_room(self) -> None:
        with suppress(OSError):
            self._spare.unlink(missing_ok=True)

    def _raise_trouble(self) -> None:
        found, self._trouble = self._trouble, None
        if found is not None:
            raise found

    def _beat(self) -> None:
        while not self._done.wait(HEARTBEAT_SECONDS):
            try:
                self.update()
            except OSError as error:  # a full disk must not silence the heartbeats to come
                if trouble(error) == "broken":  # and one that fails must not be trained on as if it had kept all
                    self._trouble = error
                    return
