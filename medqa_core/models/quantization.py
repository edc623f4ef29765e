"""Frozen weights in 8 or 4 bits, by bitsandbytes (the extra `gpu`).

8bit is LLM.int8() (Dettmers et al. 2022), 4bit is NF4 with quantised scales (Dettmers et al. 2023, "QLoRA") computed in
bfloat16. The linear layers are quantised, the output embedding is not.
"""

from importlib.util import find_spec
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from medqa_core.foundation.errors import InputError
from medqa_core.runs.schema.config import Quantization

BITS = {"Int8Params": 8, "Params4bit": 4}
"""Bits of a weight, by the name of bitsandbytes' class of parameters."""


def quantised(quantization: Quantization, device: str) -> dict[str, Any]:
    """What `from_pretrained` is given to quantise while it loads, straight to `device`; nothing for `none`.

    Raises:
        InputError: bitsandbytes is not installed.
    """
    if quantization == "none":
        return {}
    require_bitsandbytes(quantization)
    config = BitsAndBytesConfig(
        load_in_8bit=quantization == "8bit",
        load_in_4bit=quantization == "4bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    # accelerate compares the number of the device with its own, and `cuda` alone has none.
    place = torch.cuda.current_device() if device == "cuda" else device
    return {"quantization_config": config, "device_map": {"": place}}


def require_bitsandbytes(quantization: Quantization) -> None:
    """Ask for what quantised weights need to be installed.

    Raises:
        InputError: it is not.
    """
    if find_spec("bitsandbytes") is None:
        raise InputError(
            f"{quantization} weights need bitsandbytes, which is not installed: pip install -r requirements-gpu.txt.",
            field="quantization",
        )
