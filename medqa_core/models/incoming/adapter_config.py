"""An adapter's configuration as others write it, turned into the plain one that `models.adapter` loads.

Libraries write what they need themselves into it: Unsloth the class of the base, others a pattern of module names or
how the first weights were drawn. What only concerns training goes; what would change what is computed and is not known
here is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.models.adapter import CONFIG, PLAIN, is_plain_names

HARMLESS_STARTS = ("gaussian", "eva", "orthogonal")
"""Ways to draw the first weights that leave the base as it is (init_lora_weights)."""
OF_TRAINING = frozenset({"auto_mapping", "eva_config", "runtime_config", "loftq_config", "lora_ga_config"})
"""Keys that concern how it was trained or loaded, and nothing of what it computes."""
_LORA = re.compile(r"\.(?:lora_(?:A|B|embedding_A|embedding_B|magnitude_vector)|token_adapter)\b")


@dataclass(frozen=True)
class PlainAdapter:
    """What is to be stored of an adapter."""

    config: dict[str, Any]
    merge: str | None
    """Why it has to be merged into its base to be told apart from it; None where it need not be."""
    notes: list[str] = field(default_factory=list)


def plain_adapter(stated: dict[str, Any], tensors: Iterable[str], base: str, label: str) -> PlainAdapter:
    """The plain configuration of an adapter.

    Args:
        stated: its adapter_config.json.
        tensors: the names of its tensors.
        base: what its base is called.
        label: what errors call it.

    Raises:
        InputError: it is of a kind, or sets something, that is not known here.
    """
    names, notes = list(tensors), []
    kind = stated.get("peft_type")
    if kind != "LORA":
        raise InputError(
            f"{label} is an adapter of the kind {shorten(str(kind), 40)}, and only LORA is taken: merge it into its "
            "base (`merge_and_unload`), save that, and import the whole model."
        )
    start = stated.get("init_lora_weights", True)
    if start not in (True, False, *HARMLESS_STARTS):
        raise InputError(
            f"{label} began from the base's own weights (init_lora_weights {shorten(str(start), 40)}), so that it does "
            "not fit the base as it is: save it again with path_initial_model_for_weight_conversion."
        )
    kept: dict[str, Any] = {}
    for key, value in stated.items():
        if key in PLAIN:
            kept[key] = value
        elif value and key not in OF_TRAINING:
            raise InputError(f"{label}: {CONFIG} sets {shorten(ascii(key)[1:-1], 60)}, which is not known here.")
    if stated.get("auto_mapping"):
        notes.append("auto_mapping, which names code to load it with, was left out: it is loaded as every other one.")
    if not is_plain_names(kept.get("target_modules")) or not is_plain_names(kept.get("exclude_modules")):
        kept |= {"target_modules": _targets(names, label), "exclude_modules": None, "layers_to_transform": None}
        kept |= {"layers_pattern": None}
        notes.append("A pattern named its modules; they are named one by one now, from its weights.")
    kept |= {"base_model_name_or_path": base, "revision": None, "task_type": "CAUSAL_LM", "init_lora_weights": True}
    kept |= {"inference_mode": True}
    return PlainAdapter(kept, _merge(kept, names), notes)


def _targets(names: list[str], label: str) -> list[str]:
    """The modules that the tensors belong to, each by its whole path."""
    paths = {found[1] for name in names if (found := re.match(r"base_model\.model\.(.+?)\.lora_", name))}
    if not paths or not is_plain_names(sorted(paths)):
        raise InputError(f"{label}: which modules it changes is told neither by {CONFIG} nor by its weights.")
    return sorted(paths)


def _merge(config: dict[str, Any], names: list[str]) -> str | None:
    """Why an adapter changes more than peft can switch off again."""
    if config.get("bias", "none") != "none":
        return "it changes biases of the base"
    # peft takes every module whose name ends so: `norm` is input_layernorm too.
    saved = tuple(f"{name}." for name in config.get("modules_to_save") or ())
    own = [name for name in names if not _LORA.search(name) and not any(part in name for part in saved)]
    return "it brings embeddings of its own" if own else None
