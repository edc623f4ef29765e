"""What a run's adapter must say of itself before peft reads it: low-rank matrices and whole modules, nothing that does
more.

peft's configuration can name modules to import, files to open as pickles and models to fetch. None of that belongs to
an adapter of the store: those that were trained elsewhere come in with a plain configuration (`models.incoming`).
"""

from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import ModelError, OutsideStore, UnreadableFile, shorten
from medqa_core.foundation.files import read_json
from medqa_core.foundation.paths import resolve_inside

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
"""What the weights are called where they are a pickle, which is never opened."""
PLAIN = frozenset(
    {
        *("base_model_name_or_path", "revision", "peft_type", "peft_version", "task_type", "inference_mode"),
        *("r", "lora_alpha", "lora_dropout", "lora_bias", "bias", "fan_in_fan_out", "use_rslora", "use_dora"),
        *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "init_lora_weights"),
        *("target_parameters", "modules_to_save", "rank_pattern", "alpha_pattern", "trainable_token_indices"),
        *("ensure_weight_tying",),
        # Read by kinds of adapter that the other keys rule out.
        *("megatron_core", "qalora_group_size"),
    }
)
"""Keys that may hold something; any other must be null, false or empty."""
MOST_RANK = 4096
_NAMED = (
    *("target_modules", "exclude_modules", "layers_pattern", "target_parameters", "modules_to_save"),
    *("rank_pattern", "alpha_pattern"),  # tables by name; peft itself writes `.*\.` before it, for experts
)


def check_adapter(folder: Path, label: str) -> None:
    """Refuse an adapter that is more than low-rank matrices, before anything of it is loaded.

    Raises:
        ModelError: it is, or its files are missing, damaged or lie elsewhere.
    """
    try:
        resolve_inside(folder, WEIGHTS)
        config: Any = read_json(resolve_inside(folder, CONFIG))
    except (UnreadableFile, OutsideStore) as error:
        raise ModelError(f"{label} cannot be loaded: {error}") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise ModelError(f"{label} cannot be loaded: {CONFIG} does not describe a low-rank adapter (LORA).")
    for key, value in config.items():
        if key not in PLAIN and value:
            raise ModelError(f"{label} cannot be loaded: {CONFIG} sets {shorten(ascii(key)[1:-1], 60)}.")
    rank = config.get("r")
    if type(rank) is not int or not 0 < rank <= MOST_RANK:
        raise ModelError(f"{label} cannot be loaded: its rank (r) is not between 1 and {MOST_RANK:,}.")
    # The other ways to begin compute on the base's weights, some with a file of their own.
    if config.get("init_lora_weights", True) not in (True, False, "gaussian"):
        raise ModelError(f"{label} cannot be loaded: {CONFIG} begins from more than zeros (init_lora_weights).")
    for key in _NAMED:
        value = config.get(key)
        if not is_plain_names([key.removeprefix(".*\\.") for key in value] if isinstance(value, dict) else value):
            raise ModelError(f"{label} cannot be loaded: {key} in {CONFIG} is not a list of names.")


def is_plain_names(value: Any) -> bool:
    """Whether a value names modules, or none. A text would be a pattern, which can take for ever to match."""
    return (
        value is None
        or value == "all-linear"
        or (
            isinstance(value, list)
            and all(isinstance(name, str) and name.replace(".", "_").isidentifier() for name in value)
        )
    )
