"""Which engine answers with a run's models here: OpenVINO on a CPU, transformers for everything else."""

import logging
from pathlib import Path

import torch

from medqa_core.answering import transformers_decoder
from medqa_core.answering.decoder import Decoder
from medqa_core.answering.transformers_decoder import TransformersDecoder
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Decoding, Precision

log = logging.getLogger("medqa.answering")


def decoder_for(
    variants: ModelVariants, settings: Settings, precision: Precision = "float32", progress: Progress = silent
) -> Decoder:
    """The fastest engine for a run's two models; their graph is made first if need be.

    Raises:
        InputError: `int8` where OpenVINO does not run the models.
        ModelError: the cache folder cannot be written.
    """
    graphs = _graphs(variants, settings, progress)
    if graphs is not None:
        from medqa_core.answering.openvino_decoder import OpenVINODecoder

        return OpenVINODecoder(graphs, precision, torch.get_num_threads())
    if precision != "float32":
        raise InputError(f"{variants.base.name} on {variants.base.device} has no int8 mode: ask in float32.")
    return TransformersDecoder(variants)


def decoding_of(
    variants: ModelVariants, settings: Settings, max_new_tokens: int, precision: Precision = "float32"
) -> Decoding:
    """How both models decode here: `decoder_for` described, for the protocol. Raises as it does."""
    if _graphs(variants, settings, silent) is not None:
        from medqa_core.answering import openvino_decoder

        return Decoding(max_new_tokens=max_new_tokens, engine=openvino_decoder.NAME, precision=precision)
    return Decoding(max_new_tokens=max_new_tokens, engine=transformers_decoder.NAME)


def _graphs(variants: ModelVariants, settings: Settings, progress: Progress) -> dict[Variant, Path] | None:
    """The file that answers for each variant; None where there can be none."""
    if variants.base.device != "cpu" or variants.not_convertible:
        return None
    from medqa_core.models import openvino_ir  # here and not above: machines with a GPU may lack it

    try:
        return {
            variant: openvino_ir.ensure(variants, variant, settings.cache, progress) / openvino_ir.GRAPH
            for variant in VARIANTS
        }
    except openvino_ir.NotConvertible as error:
        log.warning("%s; transformers answers instead, more slowly", error)
        variants.not_convertible = True
        return None
