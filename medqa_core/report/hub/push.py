"""A folder sent to the Hugging Face hub as one commit, and compared with what the hub then holds.

Honours `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` as every program of that ecosystem does.
"""

import hashlib
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

from medqa_core.foundation.errors import InputError, MedQAError, shorten
from medqa_core.foundation.progress import Progress, silent
from medqa_core.report.hub.folder import File

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPO = re.compile(rf"{_NAME}/{_NAME}")
Found = TypeVar("Found")


class PushFailed(MedQAError):
    """The hub did not take what was sent."""


@dataclass(frozen=True)
class Pushed:
    """What was sent, and what came of it."""

    url: str
    """Of the repository."""
    commit: str
    """The hub's id of the commit."""
    files_checked: int
    """Whose content on the hub is that of the files here, by SHA-256 or git's checksum."""


def check_repo(repo: str) -> str:
    """`repo` itself if it is a name of the form OWNER/NAME that the hub takes.

    Raises:
        InputError: it is not.
    """
    if not _REPO.fullmatch(repo) or "--" in repo or ".." in repo or repo.endswith((".git", ".", "-")):
        raise InputError(f"{shorten(repo)!r} is not OWNER/NAME, such as jane/gout-answers.", field="--repo")
    return repo


def push(
    folder: Path, files: Sequence[File], repo: str, message: str, *, private: bool, progress: Progress = silent
) -> Pushed:
    """Send `files` of `folder`, make the repository if there is none, and check that the hub holds what was sent.

    Nothing that the repository holds besides is removed. Until the one commit at the end a reader sees what was there
    before; a push that breaks off can be repeated.

    Raises:
        InputError: not a usable repository name.
        PushFailed: no login, no right to write there, a hub that cannot be reached or holds something else afterwards.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi()
    check_repo(repo)
    progress(f"making {repo}")
    url = _asked(lambda: api.create_repo(repo, private=private, exist_ok=True), repo)
    progress(f"sending {len(files)} files")
    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=one.path, path_or_fileobj=str(folder / one.path)) for one in files
    ]
    with _without_chatter():
        commit = _asked(lambda: api.create_commit(repo, operations, commit_message=message), repo)
    progress("comparing what the hub holds")
    there = _asked(lambda: api.get_paths_info(repo, [one.path for one in files], revision=commit.oid), repo)
    held = {one.path: one for one in there}
    odd = [one.path for one in files if not _same(folder, one, held.get(one.path))]
    if odd:
        raise PushFailed(f"{repo} holds something else than was sent: {shorten(', '.join(odd), 200)}. Push again.")
    return Pushed(str(url), commit.oid, len(files))


@contextmanager
def _without_chatter() -> Iterator[None]:
    """No advice on tables among a model's files, and no bars in a log file."""
    bars = sys.stderr.isatty() or are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "It seems that you are about to commit a data file", UserWarning)
        if not bars:
            disable_progress_bars()
        try:
            yield
        finally:
            if not bars:
                enable_progress_bars()


def _same(folder: Path, file: File, held: Any) -> bool:
    """Whether the hub's file is this one: large files have their SHA-256 there, others git's checksum of a blob."""
    if held is None or held.size != file.size:
        return False
    if held.lfs is not None:
        return bool(held.lfs.sha256 == file.sha256)
    content = (folder / file.path).read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return bool(held.blob_id == git)


def _asked(ask: Callable[[], Found], repo: str) -> Found:
    """What the hub answers; each way in which it does not is one sentence."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    try:
        return ask()
    except LocalTokenNotFoundError as error:
        raise PushFailed(_LOGIN) from error
    except OfflineModeIsEnabled as error:
        raise PushFailed("The model hub is switched off by HF_HUB_OFFLINE; nothing was sent.") from error
    except HfHubHTTPError as error:
        raise PushFailed(_refused(error.response.status_code, repo, str(error.server_message or ""))) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, RuntimeError, ValueError, KeyError) as error:
        # ValueError and KeyError: something else than a hub answered, or it finds fault with the card. RuntimeError:
        # the storage for large files, whose client is not written in Python.
        why = shorten(str(error).strip() or type(error).__name__, 200).rstrip(".")
        raise PushFailed(f"The model hub did not take {repo}: {why}. Nothing of this push shows there yet.") from error


_LOGIN = "The model hub wants a login: run `hf auth login`, or set HF_TOKEN to a token that may write."


def _refused(status: int, repo: str, said: str) -> str:
    if status == 401:
        return _LOGIN
    if status == 403:
        return f"The model hub lets this login not write to {repo}: use a token that may write, or another owner."
    told = f" ({shorten(said, 160)})" if said else ""
    return f"The model hub answered with an error (HTTP {status}){told}; nothing of this push shows in {repo} yet."
