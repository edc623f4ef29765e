"""Where a cluster writes its runs: a folder that every node sees, or the address of a file system that fsspec knows."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec

from medqa_core.cluster.mirror import Mirror
from medqa_core.foundation.errors import InputError, shorten
from medqa_core.foundation.paths import RUN_ID
from medqa_core.runs.artifacts.stop_request import STOP_REQUEST


@dataclass(frozen=True)
class Storage:
    """A run store that the nodes of a cluster write to."""

    address: str

    @classmethod
    def at(cls, given: str) -> "Storage":
        """The storage that a person names.

        Raises:
            InputError: an address of a kind that fsspec does not know, or whose package is missing.
        """
        if "://" not in given:
            return cls(str(Path(given).expanduser().absolute()))
        kind = given.partition("://")[0]
        try:
            fsspec.get_filesystem_class(kind)
        except (ValueError, ImportError) as error:
            raise InputError(f"{kind}:// cannot be used: {shorten(str(error), 200)}", field="--storage") from error
        return cls(given.rstrip("/"))

    @property
    def folder(self) -> Path | None:
        """The folder that every node sees; None where runs are mirrored to and from an address."""
        return None if "://" in self.address else Path(self.address)

    @cached_property
    def remote(self) -> tuple[Any, str]:
        """The file system, and the path in it."""
        fs, path = fsspec.core.url_to_fs(self.address)
        return fs, path.rstrip("/")

    def mirror(self, run_id: str, folder: Path) -> Mirror:
        """The run's copy in the storage, with `folder` as the one here."""
        fs, path = self.remote
        return Mirror(fs, f"{path}/{run_id}", folder)

    def run_ids(self) -> list[str]:
        """The runs of the storage."""
        fs, path = self.remote
        fs.invalidate_cache()
        if not fs.exists(path):
            return []
        names = (str(found).rstrip("/").rpartition("/")[2] for found in fs.ls(path, detail=False))
        return sorted(name for name in names if RUN_ID.fullmatch(name) and fs.exists(f"{path}/{name}/run.json"))

    def holds(self, run_id: str) -> bool:
        """Whether there is a run of that id."""
        fs, path = self.remote
        fs.invalidate_cache()
        return bool(fs.exists(f"{path}/{run_id}/run.json"))

    def request_stop(self, name: str) -> None:
        """Ask that the run of that name stops; a whole sweep under its `sweep_name`."""
        fs, path = self.remote
        fs.makedirs(f"{path}/{name}", exist_ok=True)
        fs.pipe_file(self._request(name), b"")

    def stop_requested(self, name: str) -> bool:
        """Whether a stop was requested."""
        fs, _ = self.remote
        fs.invalidate_cache()
        return bool(fs.exists(self._request(name)))

    def withdraw_stop(self, name: str) -> None:
        """Remove the request."""
        if self.stop_requested(name):
            self.remote[0].rm_file(self._request(name))

    def discard(self, name: str) -> None:
        """Remove a folder that holds no run, and whatever is in it."""
        fs, path = self.remote
        fs.invalidate_cache()
        if name.startswith(".") and fs.exists(f"{path}/{name}"):
            fs.rm(f"{path}/{name}", recursive=True)

    def _request(self, name: str) -> str:
        return f"{self.remote[1]}/{name}/{STOP_REQUEST}"


def sweep_name(sweep: str) -> str:
    """The folder in the storage for what concerns a sweep as a whole; readers of runs skip it."""
    return f".sweep-{sweep}"
