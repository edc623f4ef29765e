"""Models and adapters from the Hugging Face hub: data files only, the local cache first, no long wait for an answer.

Honours `HF_ENDPOINT`, `HF_HOME`, `HF_HUB_OFFLINE` and `HF_TOKEN` as every program of that ecosystem does.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import ModelUnavailable, shorten
from medqa_core.foundation.progress import Progress, StageProgress, downloading, silent
from medqa_core.models import adapter, folders
from medqa_core.models.references import EMBEDDED, ModelReference

ALLOWED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
"""Data only: no Python files and no pickles are ever downloaded."""
ADAPTER = [adapter.CONFIG, adapter.WEIGHTS, *folders.TOKENIZER_FILES]
"""What is needed of an adapter's repository, which may hold much else of its training."""
IGNORED = ["*/*", "consolidated*.safetensors"]
"""Other formats of the same weights, which repositories keep in folders or under this name."""
PATIENCE = 10.0
"""Seconds to wait for the hub's first answer before the local cache is all there is; HF_HUB_ETAG_TIMEOUT may say more.
"""
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

REMEDY = f"use the embedded default with `--set base_model={EMBEDDED}`, or give a local model folder"
TO_BRING = "give a folder that holds it"
"""What to do where the model that is to be brought in cannot be had."""


def fetch(
    reference: ModelReference, progress: Progress = silent, *, incoming: bool = False, steps: StageProgress = silent
) -> tuple[Path, str]:
    """The folder of a hub model in the hub's own cache, and the commit it holds.

    A pinned commit that is in the cache is used without asking the hub; a branch or tag is asked for, and the
    cache serves where the hub cannot be reached.

    Args:
        reference: which model.
        progress: told what takes long.
        incoming: it is to be brought in: an adapter will do too, and of one nothing else is fetched.
        steps: told how many bytes have come.

    Raises:
        ModelUnavailable: there is no such model or revision, it needs a login, holds nothing that would be opened, or
            is not in the cache and no hub can be reached.
    """
    if reference.pinned:
        cached = cached_folder(reference, incoming=incoming)
        if cached is not None:
            return cached, cached.name
    return _download(reference, progress, incoming, steps)


def cached_folder(reference: ModelReference, *, incoming: bool = False) -> Path | None:
    """The model's folder in the local hub cache if it is there, complete; no network. `incoming`: as for `fetch`."""
    if incoming:
        folder = _cached(reference, ADAPTER)
        if folder is not None and (folder / adapter.CONFIG).is_file() and (folder / adapter.WEIGHTS).is_file():
            return folder
    folder = _cached(reference, ALLOWED)
    # Older versions of huggingface_hub left no list of files to check completeness against.
    whole = folder is not None and (folder / folders.CONFIG).is_file() and any(folder.glob("*.safetensors"))
    return folder if whole else None


def _cached(reference: ModelReference, wanted: list[str]) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            reference.name,
            revision=reference.revision,
            allow_patterns=wanted,
            ignore_patterns=IGNORED,
            local_files_only=True,
        )
    except OSError:  # not there, not complete, or not readable, which is as good as not there
        return None
    return Path(folder)


def _download(reference: ModelReference, progress: Progress, incoming: bool, steps: StageProgress) -> tuple[Path, str]:
    # Here and not above: naming a model must not cost the import of an HTTP client.
    import httpx2
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
        XetDownloadError,
    )
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]  # its documented place

    name, revision = reference.name, reference.revision
    answered, patience = False, max(PATIENCE, float(constants.HF_HUB_ETAG_TIMEOUT))
    unavailable = partial(_unavailable, name, remedy=TO_BRING if incoming else REMEDY)

    def cached_or(said: str, why: str) -> tuple[Path, str]:
        cached = cached_folder(reference, incoming=incoming)
        if cached is None:
            raise unavailable(f"is not in the local cache and {why}")
        progress(f"The model hub {said}; using {name} from the local cache")
        return cached, cached.name

    try:
        # Asked by hand first because snapshot_download waits without limit for this answer.
        listed = HfApi().model_info(name, revision=revision, timeout=patience, files_metadata=True).siblings or ()
        answered = True
        files = [one.rfilename for one in listed]
        _refuse_pickles(name, files)
        if incoming:
            _refuse_no_weights(name, files)
        progress(f"Downloading {name} from the model hub")
        allowed = ADAPTER if incoming and adapter.WEIGHTS in files else ALLOWED
        wanted = filter_repo_objects(
            listed, allow_patterns=allowed, ignore_patterns=IGNORED, key=lambda one: one.rfilename
        )
        kept = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=name, repo_type="model")
        with downloading(kept, steps, sum(one.size or 0 for one in wanted)):
            fetched = snapshot_download(
                name,
                revision=revision,
                allow_patterns=allowed,
                ignore_patterns=IGNORED,
                etag_timeout=patience,
                tqdm_class=_terminal_bar(),
            )
        folder = Path(fetched)
        return folder, folder.name
    except GatedRepoError as error:
        raise unavailable("needs its terms accepted and a login on the model hub") from error
    except RevisionNotFoundError as error:
        raise unavailable(f"has no revision {shorten(str(revision), 60)!r} on the model hub") from error
    except RepositoryNotFoundError as error:
        raise unavailable("is not on the model hub, or is private") from error
    except httpx2.TimeoutException:
        late = f"the model hub did not answer within {patience:.0f} seconds (HF_HUB_ETAG_TIMEOUT=60 waits longer)"
        return cached_or("does not answer", late)
    except (httpx2.HTTPError, httpx2.InvalidURL, XetDownloadError, OSError, ValueError) as error:
        # ValueError: something else than a hub answered, such as the login page of a hotel.
        return cached_or("cannot be reached", _cause(error, answered))


def _refuse_pickles(name: str, files: list[str]) -> None:
    """Say, before anything is downloaded, that a model has no weights that would be opened."""
    weights = [file for file in files if "/" not in file and file.endswith((".safetensors", *_PICKLED))]
    if not weights or any(file.endswith(".safetensors") for file in weights):
        return
    first, command = weights[0], _TO_SAFETENSORS
    if adapter.PICKLED in weights:
        first, command = adapter.PICKLED, _ADAPTER_TO_SAFETENSORS
    raise ModelUnavailable(
        f"{name} holds its weights as pickles only ({shorten(first, 60)}), which can run code when opened and are "
        f"never fetched. Where you trust it, convert it elsewhere: {command.format(name=name)}, and give that folder."
    )


_TO_SAFETENSORS = (
    'python -c "from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; '
    "M.from_pretrained('{name}').save_pretrained('converted'); "
    "T.from_pretrained('{name}').save_pretrained('converted')\""
)
_ADAPTER_TO_SAFETENSORS = (
    'python -c "from peft import AutoPeftModelForCausalLM as M; '
    "M.from_pretrained('{name}').save_pretrained('converted')\""
)


def _refuse_no_weights(name: str, files: list[str]) -> None:
    """Say, before anything is downloaded, that a repository holds nothing that could be brought in."""
    if not any("/" not in file and file.endswith(".safetensors") for file in files):
        raise ModelUnavailable(
            f"{name} holds no weights on the model hub: looked for {folders.WEIGHTS}, {folders.INDEX} and "
            f"{adapter.WEIGHTS} at its root. Where they lie in a folder of it, fetch that one (`hf download`) and give "
            "it here."
        )


def _terminal_bar() -> type[Any]:
    from huggingface_hub.utils.tqdm import tqdm

    class TerminalBar(tqdm):
        """The hub's own progress bar, but never into a log file: one of its bars does not look where it writes."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            hidden = kwargs.get("disable") or not sys.stderr.isatty()
            super().__init__(*args, **{**kwargs, "disable": hidden})  # type: ignore[no-untyped-call]

    return TerminalBar


def _cause(error: Exception, answered: bool) -> str:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "the model hub is switched off by HF_HUB_OFFLINE"
    if isinstance(error, HfHubHTTPError):
        return f"the model hub answered with an error (HTTP {error.response.status_code})"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return f"it could not be fetched ({error.strerror})"
    return "its download broke off; try again" if answered else "the model hub cannot be reached"


def _unavailable(name: str, what: str, *, remedy: str) -> ModelUnavailable:
    return ModelUnavailable(f"{name} {what}; {remedy}.")
