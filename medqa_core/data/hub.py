"""Data sets from the Hugging Face hub, through `datasets`; fetched once into the cache, read from there afterwards.

What is kept is one Parquet file and where it came from, so that a later run needs no network, and a page that only
reads needs no `datasets`. Honours `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_OFFLINE` and `HF_TOKEN`.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from medqa_core.foundation import files
from medqa_core.foundation.errors import DataUnavailable, InputError, UnreadableFile, shorten
from medqa_core.foundation.progress import StageProgress, downloading, silent

MEDQUAD = "lavita/MedQuAD"
"""The copy of MedQuAD that has everything the original XML says of a pair."""
COPIES = (MEDQUAD, "keivalya/MedQuad-MedicalQnADataset")
PATIENCE = 10.0
"""Seconds to wait for the hub's first answer."""

# The hub's own rules for a name: huggingface_hub checks with the same pattern.
_ID = re.compile(r"\b[A-Za-z0-9_\-.]{1,96}\b/\b[A-Za-z0-9_\-.]{1,96}\b", re.ASCII)
_FILE, _ORIGIN = "data.parquet", "source.json"


@dataclass(frozen=True)
class Fetched:
    """A data set in the cache."""

    path: Path
    licence: str | None
    """As its card states it."""


Download = Callable[[str, Path], dict[str, Any]]
"""Writes a data set's rows to a Parquet file and returns facts about it: `revision`, `licence`."""


def is_id(name: str) -> bool:
    """Whether `name` has the form `owner/name` that the hub gives to data sets."""
    return _ID.fullmatch(name) is not None and ".." not in name and "--" not in name


def cached(name: str, cache: Path) -> Fetched | None:
    """The data set if it was fetched before; no network, no import of `datasets`."""
    folder = _folder(name, cache)
    try:
        origin = files.read_json(folder / _ORIGIN)
        complete = (folder / _FILE).stat().st_size == origin["bytes"]
    except (UnreadableFile, OSError, KeyError, TypeError):
        return None
    licence = origin.get("licence")
    return Fetched(folder / _FILE, shorten(licence, 100) if isinstance(licence, str) else None) if complete else None


def ensure(name: str, cache: Path, download: Download | None = None, steps: StageProgress = silent) -> Fetched:
    """The data set in the cache, fetched first if it is not there; `steps` hears how much. `download` is for tests.

    Raises:
        DataUnavailable: it is not in the cache and the hub cannot be reached or does not have it.
        InputError: the cache cannot be written.
    """
    there = cached(name, cache)
    if there is not None:
        return there

    def fill(folder: Path) -> None:
        facts = (download or partial(_download, steps=steps))(name, folder / _FILE)
        size = (folder / _FILE).stat().st_size
        files.write_json(folder / _ORIGIN, {"id": name, "bytes": size, **facts})

    try:
        files.write_folder(_folder(name, cache), fill)
    except OSError as error:
        raise InputError(
            f"{name} cannot be written to the cache folder {cache}: {error.strerror or error}; free some space or set "
            "MEDQA_CACHE to another folder."
        ) from error
    there = cached(name, cache)
    if there is None:
        raise unavailable(name, "was fetched but is not complete; try again")
    return there


def unavailable(name: str, what: str) -> DataUnavailable:
    """The error that a data set cannot be had, with the ways around it."""
    around = "set MEDQA_MEDQUAD to MedQuAD's ZIP from github.com/abachaa/MedQuAD, " if name in COPIES else ""
    return DataUnavailable(
        f"{name} {what}; {around}give a folder with its Parquet files as the data set, or use the starter set "
        "(dataset=starter)."
    )


def _folder(name: str, cache: Path) -> Path:
    return cache / "datasets" / name.replace("/", "--")


def _download(name: str, target: Path, steps: StageProgress) -> dict[str, Any]:
    # Here and not above: naming a data set must not cost the import of an HTTP client and of `datasets`.
    import httpx2
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError
    from huggingface_hub.file_download import repo_folder_name

    facts: dict[str, Any] = {"revision": None, "licence": None}
    size = 0
    try:
        # Asked by hand first because `datasets` tries for half a minute before it says that no hub answers.
        info = HfApi().dataset_info(name, timeout=PATIENCE)
        facts = {"revision": info.sha, "licence": getattr(info.card_data, "license", None)}
        size = _stated_size(info.card_data)
    except OfflineModeIsEnabled:
        pass  # the cache of `datasets` itself may have it
    except GatedRepoError as error:
        raise unavailable(name, "needs its terms accepted and a login on the hub") from error
    except RepositoryNotFoundError as error:
        raise unavailable(name, "is not on the hub, or is private") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise unavailable(name, "is not in the cache and the hub cannot be reached") from error
    with downloading(Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="dataset"), steps, size):
        write_parquet(name, facts["revision"], target)
    return facts


def _stated_size(card: Any) -> int:
    """The bytes of its download as the card of a data set states them; 0 where it does not."""
    info = card.get("dataset_info") if card is not None else None
    stated = info.get("download_size") if isinstance(info, dict) else None
    return stated if isinstance(stated, int) and stated > 0 else 0


def write_parquet(name: str, revision: str | None, target: Path) -> None:
    """All rows of what `datasets` calls `name`, its parts one after the other, as one Parquet file.

    Raises:
        DataUnavailable: `datasets` cannot load it; its code is never run, only data files are read.
    """
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        parts = datasets.load_dataset(name, revision=revision)
        rows = datasets.concatenate_datasets([parts[part] for part in parts])
        rows.to_parquet(target)
    except OSError as error:
        if error.errno is not None and not isinstance(error, ConnectionError):  # the disk's, not the hub's
            raise
        raise unavailable(name, f"cannot be loaded ({shorten(str(error), 120)})") from error
    except (ValueError, TypeError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise unavailable(name, f"cannot be loaded ({shorten(str(error), 120)})") from error
