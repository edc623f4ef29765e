"""One side of a pair as a CTranslate2 model: the same weights in a layout that a CPU decodes many times faster.

Converted once for each pair of base and adapter, kept in the cache. An adapter is merged into a copy of its base first,
so that a side is one set of weights; the pair itself stays as it is.
"""

import copy
import tempfile
from pathlib import Path
from typing import Any

import ctranslate2
from ctranslate2.converters import TransformersConverter
from ctranslate2.converters.transformers import _MODEL_LOADERS

from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.files import read_json, sha256_text, write_json
from medqa_core.models.build_cache import Progress, make_once, silent
from medqa_core.models.silence import quiet
from medqa_core.models.variants import ModelPair, Side

RECIPE = "ctranslate2/2"
"""Counts up when the conversion changes, so that a cache made by an older version is made anew."""


class NotConvertible(ModelError):
    """A model of a kind that CTranslate2 knows, with something in it that it does not."""


def can_convert(pair: ModelPair) -> bool:
    """Whether CTranslate2 knows this kind of model, and the device is the one that it is for here: a CPU."""
    return pair.base.device == "cpu" and type(pair.base.model.config).__name__ in _MODEL_LOADERS


def ensure(pair: ModelPair, side: Side, cache: Path, progress: Progress = silent) -> Path:
    """The folder with the converted model of one side, made first if it is not in the cache.

    Raises:
        NotConvertible: the model has something that CTranslate2 cannot do.
        ModelError: the cache folder cannot be written.
    """
    weights = pair.base.sha256 if side == "base" else f"{pair.base.sha256}+{pair.adapter_sha256}"
    recipe = f"{RECIPE} ctranslate2 {ctranslate2.__version__} {weights}"
    folder = cache / "ctranslate2" / sha256_text(recipe)[:32]

    def fill(temporary: Path) -> dict[str, Any]:
        progress(f"converting the {side.replace('_', '-')} model for fast answers, once")
        with quiet(), tempfile.TemporaryDirectory(dir=temporary.parent) as whole:
            converter = TransformersConverter(_whole_model(pair, side, Path(whole)))
            try:
                converter.convert(str(temporary), force=True)
            except (ValueError, NotImplementedError, RuntimeError, KeyError, AttributeError, TypeError) as error:
                raise NotConvertible(f"{pair.base.name} cannot be converted: {error}") from error
        _name_every_token(temporary / "config.json")
        return {"weights": weights}

    return make_once(folder, recipe, fill, progress)


def _name_every_token(path: Path) -> None:
    """A tokenizer without a first or an unknown token is written as null, which CTranslate2 then refuses to read."""
    config = read_json(path)
    for name in ("bos_token", "unk_token"):
        if config.get(name, "") is None:
            config[name] = config["eos_token"]
    write_json(path, config)


def _whole_model(pair: ModelPair, side: Side, scratch: Path) -> str:
    """A folder of the side's whole weights as transformers reads them."""
    if side == "base":
        return str(pair.base.folder)
    model = copy.deepcopy(pair.adapted).merge_and_unload() if pair.shares_weights else pair.adapted
    model.save_pretrained(str(scratch))
    pair.tokenizer.save_pretrained(str(scratch))
    return str(scratch)
