"""One of the two models as a CTranslate2 model: the same weights in a layout that a CPU decodes many times faster.

Converted once for each base and adapter, kept in the cache. An adapter is merged into a copy of its base first,
so that a variant is one set of weights; the models themselves stay as they are.
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
from medqa_core.foundation.progress import Progress, silent
from medqa_core.models.build_cache import get_or_build
from medqa_core.models.silence import silenced
from medqa_core.models.variants import ModelVariants, Variant

RECIPE = "ctranslate2/2"
"""Counts up when the conversion changes, so that a cache made by an older version is made anew."""


class NotConvertible(ModelError):
    """A model of a kind that CTranslate2 knows, with something in it that it does not."""


def can_convert(variants: ModelVariants) -> bool:
    """Whether CTranslate2 knows this kind of model, and the device is the one that it is for here: a CPU."""
    return variants.base.device == "cpu" and type(variants.base.model.config).__name__ in _MODEL_LOADERS


def ensure(variants: ModelVariants, variant: Variant, cache: Path, progress: Progress = silent) -> Path:
    """The folder with the converted model of one variant, made first if it is not in the cache.

    Raises:
        NotConvertible: the model has something that CTranslate2 cannot do.
        ModelError: the cache folder cannot be written.
    """
    weights = variants.base.sha256 if variant == "base" else f"{variants.base.sha256}+{variants.adapter_sha256}"
    recipe = f"{RECIPE} ctranslate2 {ctranslate2.__version__} {weights}"
    folder = cache / "ctranslate2" / sha256_text(recipe)[:32]

    def fill(temporary: Path) -> dict[str, Any]:
        progress(f"converting the {variant.replace('_', '-')} model for fast answers, once")
        with silenced(), tempfile.TemporaryDirectory(dir=temporary.parent) as whole:
            converter = TransformersConverter(_whole_model(variants, variant, Path(whole)))
            try:
                converter.convert(str(temporary), force=True)
            except (ValueError, NotImplementedError, RuntimeError, KeyError, AttributeError, TypeError) as error:
                raise NotConvertible(f"{variants.base.name} cannot be converted: {error}") from error
        _name_every_token(temporary / "config.json")
        return {"weights": weights}

    return get_or_build(folder, recipe, fill, progress)


def _name_every_token(path: Path) -> None:
    """A tokenizer without a first or an unknown token is written as null, which CTranslate2 then refuses to read."""
    config = read_json(path)
    for name in ("bos_token", "unk_token"):
        if config.get(name, "") is None:
            config[name] = config["eos_token"]
    write_json(path, config)


def _whole_model(variants: ModelVariants, variant: Variant, scratch: Path) -> str:
    """A folder of the variant's whole weights as transformers reads them."""
    if variant == "base":
        return str(variants.base.folder)
    model = copy.deepcopy(variants.adapted).merge_and_unload() if variants.shares_weights else variants.adapted
    model.save_pretrained(str(scratch))
    variants.tokenizer.save_pretrained(str(scratch))
    return str(scratch)
