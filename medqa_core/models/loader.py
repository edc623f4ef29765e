"""Load a model to compute with: from its name to weights, tokenizer and provenance.

Safetensors only and never code that comes with a model. Weights are float32 on every device unless a caller asks for
less: float32 is exact on a CPU, and two machines then agree on what they measure. A training may ask for its frozen
weights in bfloat16, 8 or 4 bits, which are then never in memory as float32.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from medqa_core.foundation.errors import InputError, MedQAError, ModelError, first_line, shorten
from medqa_core.foundation.files import sha256_text
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models import folders
from medqa_core.models.gate import attention_of
from medqa_core.models.locate import Located, locate
from medqa_core.models.prompt import kind_for, prompt_text
from medqa_core.models.quantization import BITS, quantised
from medqa_core.models.silence import silenced
from medqa_core.runs.schema.config import Quantization

__all__ = [
    "LoadedModel",
    "Located",
    "load",
    "load_folder",
    "load_tokenizer",
    "loading",
    "locate",
    "pick_device",
    "weights_of",
]


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to compute with, and where it came from."""

    model: Any
    tokenizer: Any
    name: str
    revision: str | None
    """The commit of a hub model; None for the other kinds."""
    sha256: str
    """Of the weights: the safetensors file's own, or one over the shards."""
    folder: Path
    parameters: int
    device: str

    @property
    def context(self) -> int | None:
        """The longest text that the model can read, in tokens; None where its configuration does not say."""
        length: int | None = getattr(self.model.config, "max_position_embeddings", None)
        return length

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end an answer, as in transformers' `generate`: the tokenizer's own first, then those of the
        generation config, such as the end of a turn in Gemma and Phi-3."""
        named: int | list[int] | None = self.model.generation_config.eos_token_id
        more = [named] if isinstance(named, int) else named or []
        return tuple(dict.fromkeys([self.tokenizer.eos_token_id, *more]))


def load(
    name: str,
    revision: str | None = None,
    *,
    settings: Settings,
    device: str | None = None,
    dtype: torch.dtype = torch.float32,
    quantization: Quantization = "none",
    progress: Progress = silent,
) -> LoadedModel:
    """Load the model called `name`, in evaluation mode, fetching it first if need be.

    Args:
        name: the embedded model's, `toy`, a hub id or a folder.
        revision: a hub model's.
        settings: where the cache is.
        device: where to; None = the fastest here.
        dtype: of the weights, from the first byte read on.
        quantization: the linear layers but the last in 8 or 4 bits, the rest in `dtype`.
        progress: told what is being done.

    Raises:
        InputError: the name, revision or device is not usable, or bitsandbytes is not installed.
        ModelUnavailable: not in the cache, and it cannot be fetched.
        ModelError: its files are missing, unsafe or damaged.
    """
    place = _usable_device(device)
    located = locate(name, revision, settings=settings, progress=progress)
    return load_folder(located, settings=settings, device=place, dtype=dtype, quantization=quantization)


def load_folder(
    located: Located,
    *,
    settings: Settings,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    quantization: Quantization = "none",
) -> LoadedModel:
    """Load a model whose files are on this disk already; no network. For the arguments see `load`.

    Raises:
        InputError: bitsandbytes is not installed.
        ModelError: its files are missing, unsafe or damaged.
    """
    label = located.name
    folders.check(located.folder, label)
    with loading(label):
        tokenizer = load_tokenizer(located.folder, label)
        model = _load_model(located.folder, label, dtype, quantised(quantization, device))
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise ModelError(f"{label}: its tokenizer knows more tokens than the model; the files do not belong together.")
    _complete_generation_config(model, tokenizer)
    return LoadedModel(
        model=(model if quantization != "none" else model.to(device)).eval(),
        tokenizer=tokenizer,
        name=located.name,
        revision=located.revision,
        sha256=folders.weights_sha256(located.folder, label, settings.cache),
        folder=located.folder,
        parameters=parameter_count(model),
        device=device,
    )


@contextmanager
def loading(label: str) -> Iterator[None]:
    """The block loads the files of the model called `label`: silenced, and what is wrong with them is one error.

    Raises:
        ModelError: in place of whatever the libraries raise for a damaged or foreign file.
    """
    try:
        with silenced():
            yield
    except MedQAError:
        raise
    except SafetensorError as error:
        raise ModelError(f"{label}: its weights are damaged: {_reason(error)}.") from error
    except Exception as error:  # three libraries read foreign files here, each with errors of its own
        raise ModelError(f"{label} cannot be loaded: {_reason(error)}.") from error


def config_sha256(model: Any) -> str:
    """Of a model's configuration, wherever it lies: the same weights compute something else under another one."""
    config = {name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"}
    # Some kinds of model have an infinity in it.
    return sha256_text(json.dumps(config, sort_keys=True, default=str))


def parameter_count(model: Any) -> int:
    """The weights of a model, each counted once however many bits it has."""
    return sum(
        p.numel() * p.element_size() * 8 // BITS.get(type(p).__name__, 8 * p.element_size()) for p in model.parameters()
    )


def weights_of(
    kind: Any,
    folder: Path,
    label: str,
    *,
    config: Any = None,
    dtype: torch.dtype = torch.float32,
    spare: str | None = None,
    **more: Any,
) -> Any:
    """The model in `folder` as a `kind` of transformers' automatic classes: safetensors only, and no foreign code.

    Args:
        kind: `AutoModelForCausalLM` or another of them.
        folder: where the files are.
        label: what errors call the model.
        config: its configuration where that was read already.
        dtype: of the weights.
        spare: part of the names of weights that may be missing, since they are not used.
        more: what else `from_pretrained` is given.

    Raises:
        ModelError: weights are missing; for all else see `loading`.
    """
    if config is None:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    model, report = kind.from_pretrained(
        str(folder),
        config=config,
        dtype=dtype,
        attn_implementation=attention_of(config, kind),
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
        **more,
    )
    # transformers fills what is missing with random numbers and only prints a note.
    missing = sorted(name for name in report["missing_keys"] if spare is None or spare not in name)
    if missing:
        raise ModelError(f"{label}: its weights are incomplete; {len(missing)} are missing, {missing[0]} first.")
    return model


def pick_device() -> str:
    """The fastest device here: `cuda`, `mps` or `cpu`."""
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def _usable_device(device: str | None) -> str:
    if device is None:
        return pick_device()
    here = ["cpu"]
    if torch.cuda.is_available():
        here += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        here.append("mps")
    if device not in here:
        raise InputError(f"{shorten(device)!r} is not there; this machine has {', '.join(here)}.", field="device")
    return device


def load_tokenizer(folder: Path, label: str) -> Any:
    """The tokenizer in a folder, ready to generate with.

    Raises:
        ModelError: it has no end token, or a chat template that cannot be used. For all else see `loading`.
    """
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{label}: its tokenizer has no end-of-text token, so no answer would ever end.")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"  # a decoder continues the last token of a row, which must not be padding
    if kind_for(tokenizer) == "chat":
        try:
            prompt_text(tokenizer, "Which template is this?", "chat")
        except Exception as error:  # a program, run in a sandbox: whatever it does wrong shows here
            raise ModelError(f"{label}: its chat template cannot be used: {_reason(error)}.") from error
    return tokenizer


def _load_model(folder: Path, label: str, dtype: torch.dtype, more: dict[str, Any]) -> Any:
    config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    if type(config) not in AutoModelForCausalLM._model_mapping:
        raise ModelError(
            f"{label} is of the kind {shorten(str(config.model_type), 40)!r}, which does not continue text; "
            "give a causal language model."
        )
    return weights_of(AutoModelForCausalLM, folder, label, dtype=dtype, config=config, **more)


def _complete_generation_config(model: Any, tokenizer: Any) -> None:
    # Without these `generate` prints a note for each call, or never stops.
    config = model.generation_config
    if config.eos_token_id is None:
        config.eos_token_id = tokenizer.eos_token_id
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id


def _reason(error: Exception) -> str:
    return shorten(first_line(error), 200).rstrip(".")
