"""What a model folder must hold before it is loaded, and the checksum of its weights. Loads no weights itself."""

import os
import re
import time
from pathlib import Path
from typing import Any

from medqa_core.foundation import files
from medqa_core.foundation.errors import ModelError, UnreadableFile, shorten

WEIGHTS = "model.safetensors"
UNSPLIT = 2**63
"""`max_shard_size` for a model that a run is to hold: a run knows WEIGHTS alone, and transformers would split it."""
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("chat_template.json", "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model"),
)
"""All that a tokenizer may be made of; any of TOKENIZERS is one."""
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
SETTLED_NS = 2 * 10**9
_SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")


def check(folder: Path, label: str) -> None:
    """Refuse a folder that cannot be loaded safely and completely, before anything of it is loaded.

    Raises:
        ModelError: a part is missing, the weights are pickles, or the model wants code of its own.
    """
    if not folder.is_dir():
        raise ModelError(f"{label}: there is no such folder.")
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"{label} is an adapter, which changes a base model and is none; give the base model it was trained on."
        )
    check_configuration(folder, label)
    weight_files(folder, label)
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise ModelError(f"{label} holds no tokenizer (tokenizer.json); copy the model's tokenizer files there.")


def check_configuration(folder: Path, label: str) -> None:
    """Refuse a model whose configuration wants code of its own or is of weights that cannot be loaded as they are.

    Raises:
        ModelError: it does, or it is missing or damaged.
    """
    _check_config(_config(folder, label), label)
    check_tokenizer(folder, label)


def check_tokenizer(folder: Path, label: str) -> None:
    """Refuse a tokenizer whose configuration wants code of its own.

    Raises:
        ModelError: it does, or it is damaged.
    """
    extra = folder / "tokenizer_config.json"
    if extra.exists() and _json(extra, label).get("auto_map"):
        raise ModelError(f"{label} cannot be used: its tokenizer_config.json {_REFUSED['auto_map']}.")


def weight_files(folder: Path, label: str) -> list[Path]:
    """The safetensors files that make up the weights, in the order of their names.

    Raises:
        ModelError: there are none, or the index names a file that is missing or lies elsewhere.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        if any(next(folder.glob(pattern), None) for pattern in PICKLES):
            raise ModelError(
                f"{label} holds its weights as pickles only, which can run code when opened; "
                f"only safetensors is loaded: save it with `save_pretrained` to get {WEIGHTS}."
            )
        raise ModelError(f"{label} holds no weights: {WEIGHTS} is missing.")
    mapping = _json(folder / INDEX, label).get("weight_map")
    if not isinstance(mapping, dict) or not mapping:
        raise ModelError(f"{label}: {INDEX} names no files.")
    names = sorted({str(name) for name in mapping.values()})
    for name in names:
        if not _SHARD.fullmatch(name):
            raise ModelError(f"{label}: {INDEX} names {shorten(name)!r}, which is no safetensors file beside it.")
        if not (folder / name).is_file():
            raise ModelError(f"{label}: {name} is missing, which {INDEX} names.")
    return [folder / name for name in names]


def weights_sha256(folder: Path, label: str, cache: Path) -> str:
    """One checksum for the weights: the file's own SHA-256, or that of the shards' names and checksums.

    A checksum once computed is remembered in `cache/hashes.json` for as long as the file is the same one and its inode
    was not changed (`_identity`). A cache that cannot be written only costs the time it takes to compute it again, half
    a second for half a gigabyte.

    A file of the hub's cache is named by its content; one that is not what its name says is refused.

    Raises:
        ModelError: as `weight_files`, a file cannot be read, or it is not the one that the hub gave.
    """
    paths = weight_files(folder, label)
    memory = cache / "hashes.json"
    known = _remembered(memory)
    sums: dict[str, str] = {}
    fresh: dict[str, str] = {}
    try:
        for path in paths:
            real = path.resolve()
            key = _identity(real)
            found = known.get(key) if key is not None else None
            if found is None:
                found = files.sha256(real)
                if key is not None and key == _identity(real):  # nobody wrote to it meanwhile
                    fresh[key] = found
            sums[path.name] = found
            if not _as_named(real, found):
                raise ModelError(
                    f"{label}: {path.name} is not the file that the model hub gave: its checksum is another one. "
                    f"Delete {real} and fetch the model again."
                )
    except OSError as error:
        raise ModelError(f"{label}: the weights cannot be read: {error.strerror or error}.") from error
    if fresh:
        _remember(memory, fresh)
    if len(sums) == 1:
        return next(iter(sums.values()))
    return files.sha256_text("".join(f"{name} {value}\n" for name, value in sorted(sums.items())))


def _identity(path: Path) -> str | None:
    """What changes whenever the file does: device, inode, size and the time at which its inode last changed.

    That time is the system's own. A program can set the time of a file's content back, and whoever does so changes the
    inode. Of a file changed within the last two seconds nothing is remembered, since two changes can share a tick of
    the clock; nor on Windows, which calls the time of creation by this name.
    """
    stat = path.stat()
    if os.name == "nt" or time.time_ns() - stat.st_ctime_ns < SETTLED_NS:
        return None
    return f"{path}|{stat.st_dev}|{stat.st_ino}|{stat.st_size}|{stat.st_mtime_ns}|{stat.st_ctime_ns}"


def _as_named(real: Path, checksum: str) -> bool:
    """Whether a file of the hub's cache is what its name says: large files are named by their SHA-256 there."""
    named = real.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", real.name) is not None
    return not named or real.name == checksum


_REFUSED = {
    "auto_map": "asks to run Python code that comes with the model, which is never done here",
    "quantization_config": "says that its weights are quantized; give the unquantized model",
    "transformers_weights": "points to weights under another name; rename them to model.safetensors",
}


_KERNELS = re.compile(r"_?(?:attn|experts)_implementation(?:_internal)?")
_BUILT_IN = (None, "eager", "sdpa", "grouped_mm", "batched_mm")
"""Ways to compute that are part of transformers; under any other name it looks for compiled code on the hub."""
_LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
_MOST_LAYERS = 1000


def _check_config(config: dict[str, Any], label: str) -> None:
    """The configuration with all that is inside it: a model may be made of several."""
    left: list[Any] = [config]
    while left:
        value = left.pop()
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if not isinstance(value, dict):
            continue
        for key, why in _REFUSED.items():
            if value.get(key):
                raise ModelError(f"{label} cannot be used: its {CONFIG} {why}.")
        for key, named in value.items():
            names = named.values() if isinstance(named, dict) else (named,)
            if _KERNELS.fullmatch(key) and any(name not in _BUILT_IN for name in names):
                raise ModelError(
                    f"{label} cannot be used: its {CONFIG} names code to compute with ({key}), which is never fetched "
                    "here; remove that line."
                )
            if key in _LAYERS and isinstance(named, int) and named > _MOST_LAYERS:
                raise ModelError(f"{label} cannot be used: its {CONFIG} asks for {named:,} layers.")


def _config(folder: Path, label: str) -> dict[str, Any]:
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{label} is no model folder: {CONFIG} is missing.")
    return _json(folder / CONFIG, label)


def _json(path: Path, label: str) -> dict[str, Any]:
    try:
        value = files.read_json(path)
    except UnreadableFile as error:
        raise ModelError(f"{label}: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{label}: {path.name} does not hold a JSON object.")
    return value


def _remembered(memory: Path) -> dict[str, str]:
    try:
        value = files.read_json(memory)
    except UnreadableFile:
        return {}
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if isinstance(item, str) and re.fullmatch("[0-9a-f]{64}", item)}


def _remember(memory: Path, fresh: dict[str, str]) -> None:
    # Read again just before writing: another process may have added its own in the meantime.
    try:
        files.write_json(memory, {**_remembered(memory), **fresh})
    except OSError:
        return
