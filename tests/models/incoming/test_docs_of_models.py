"""docs/models.md: each sentence of a refusal there is what an import of a model says."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.incoming.import_model import import_model
from medqa_core.runs.schema.config import EvaluationConfig
from tests.support.docs_tables import refusals
from tests.support.git_lfs import POINTER

pytestmark = pytest.mark.usefixtures("no_network")
WEIGHTS, CONFIG, INDEX = "adapter_model.safetensors", "adapter_config.json", "model.safetensors.index.json"
Change = Callable[[Path], object]
TOLD = refusals("models.md", "## What is refused")


def said(name: str, **values: object) -> Change:
    """A JSON file that says something else besides."""

    def change(folder: Path) -> None:
        there = read_json(folder / name) if (folder / name).is_file() else {}
        write_json(folder / name, there | values)

    return change


def alone(name: str) -> Change:
    """A folder that holds one file, which is never read."""

    def change(folder: Path) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / name).write_bytes(b"never read")

    return change


def learnt(change: Callable[[str, Any], tuple[str, Any]]) -> Change:
    """An adapter with other tensors."""

    def changed(folder: Path) -> None:
        tensors = dict(change(name, one) for name, one in load_file(folder / WEIGHTS).items())
        save_file(tensors, folder / WEIGHTS, {"format": "pt"})

    return changed


def file_in_place(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("no folder")


def linked(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder.parent / "outside.safetensors")
    (folder / WEIGHTS).symlink_to(folder.parent / "outside.safetensors")


def led_out(folder: Path) -> None:
    names = json.loads((folder / INDEX).read_text())["weight_map"]
    said(INDEX, weight_map=dict.fromkeys(names, "../outside.safetensors"))(folder)


def other_words(folder: Path) -> None:
    known = read_json(folder / "tokenizer.json")
    words = known["model"]["vocab"]
    first, second = list(words)[300:302]
    words[first], words[second] = words[second], words[first]
    write_json(folder / "tokenizer.json", known)


ADAPTERS: dict[str, Change] = {
    "an adapter as a pickle": alone("adapter_model.bin"),
    "whole weights as pickles": alone("pytorch_model-00001-of-00002.bin"),
    "a folder without weights": alone("README.md"),
    "a file": file_in_place,
    "a name of nothing": shutil.rmtree,
    "a revision of a folder": lambda folder: None,
    "a link out of the folder": linked,
    "torn weights": lambda folder: (folder / WEIGHTS).write_bytes(b"torn"),
    "a clone without git-lfs": lambda folder: (folder / WEIGHTS).write_bytes(POINTER),
    "NaN or infinite weights": learnt(lambda name, one: (name, one * np.float32("nan"))),
    "an adapter that is no LoRA": said(CONFIG, peft_type="IA3"),
    "a start from the base's weights, as PiSSA's": said(CONFIG, init_lora_weights="pissa"),
    "a setting that is not known": said(CONFIG, layer_replication=[[0, 2]]),
    "a base that is not named": said(CONFIG, base_model_name_or_path=None),
    "a named base that is not here": said(CONFIG, base_model_name_or_path="gone"),
    "a base without its modules": learnt(lambda name, one: (name.replace("layers.1", "layers.11"), one)),
    "a base of other sizes": learnt(
        lambda name, one: (name, np.ones((4, 96), np.float32) if "lora_A" in name else one)
    ),
    "another base than the one named, by SHA-256": said(CONFIG, base_model_name_or_path="toy"),
}
"""What is made of a sound adapter."""
MODELS: dict[str, Change] = {
    "code in the model": said("config.json", auto_map={"AutoModel": "evil.Model"}),
    "code in the tokenizer": said("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}),
    "quantised weights": said("config.json", quantization_config={"quant_method": "gptq"}),
    "weights under another name": said("config.json", transformers_weights="other.safetensors"),
    "an index that leads out of the folder": led_out,
    "a missing shard": lambda folder: next(folder.glob("model-*.safetensors")).unlink(),
    "another tokenizer than the base's": other_words,
}
"""What is made of sound whole weights."""


@pytest.mark.parametrize("name", TOLD)
def test_a_refusal_reads_as_the_page_says(
    name: str, here: Settings, asked: EvaluationConfig, adapter: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    shutil.copytree(adapter if name in ADAPTERS else whole, folder)
    (ADAPTERS | MODELS)[name](folder)
    base = None if "named" in name else "toy"
    if "SHA-256" in name:
        base = str(whole)  # the toy's shapes, and not its weights
    with pytest.raises(InputError) as caught:
        import_model(
            "nothing" if name == "a name of nothing" else folder,
            asked,
            here,
            base=base,
            revision="main" if "revision" in name else None,
        )
    assert TOLD[name] in str(caught.value)


def test_the_table_of_refusals_is_whole() -> None:
    assert set(TOLD) == {*ADAPTERS, *MODELS}
