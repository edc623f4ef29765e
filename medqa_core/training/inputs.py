"""What a fine-tune starts from: model, data, split and the run's record, all checked first."""

import contextlib
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch

import medqa_core
from medqa_core.data import leakage, split
from medqa_core.data.pairs import PairSet, QAPair
from medqa_core.data.preparation import data_for
from medqa_core.data.proposal import check_parts
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.progress import Progress
from medqa_core.foundation.settings import Settings
from medqa_core.models.gate import check_causal
from medqa_core.models.loader import LoadedModel, load_folder, locate, pick_device
from medqa_core.models.prompt import THOUGHTS, Example, encode_prompt, kind_for, opens_thoughts
from medqa_core.models.quantization import require_bitsandbytes
from medqa_core.runs.schema.config import TrainConfig, check_quantization
from medqa_core.runs.schema.evaluation import PromptKind
from medqa_core.runs.schema.record import BaseModelRecord, DataRecord, EnvironmentRecord, RunRecord, TrainingPrecision
from medqa_core.training.examples import Encoded, encode_for
from medqa_core.training.memory import require_training_memory
from medqa_core.training.precision import ResolvedPrecision, resolve, resolve_without_model
from medqa_core.training.sharding import sharding_asked
from medqa_core.training.tracking import require_tracker

PACKAGES = ("accelerate", "datasets", "numpy", "peft", "safetensors", "tokenizers")


@dataclass(frozen=True)
class TrainingInputs:
    """Everything that a fine-tune starts from, checked before a run folder is made."""

    config: TrainConfig
    base: LoadedModel
    data: PairSet
    splits: split.Split
    train: Encoded
    validation: list[Example]
    precision: ResolvedPrecision


def load_inputs(
    config: TrainConfig, settings: Settings, progress: Progress, recorded: TrainingPrecision | None = None
) -> TrainingInputs:
    """Load the model, the data and their split.

    Args:
        config: what to train.
        settings: where things are.
        progress: told what takes long.
        recorded: the precision that the run began with; None where it begins now.

    Raises:
        MedQAError: bad input, or an unavailable model or data set.
    """
    require_tracker(config.report_to)
    progress("reading the data")
    data = data_for(config, settings)
    splits = split.split_pairs(data.pairs, config)
    check_parts(data, splits, config)
    base = _load_base(config, settings, progress, recorded)
    progress("encoding the examples")
    kind = kind_for(base.tokenizer)
    _check_context(config, base, splits.test, kind)
    if opens_thoughts(base.tokenizer):
        progress(THOUGHTS)
    train, validation = encode_for(config, data, splits, base.tokenizer, kind, settings)
    precision = resolve(config, base, recorded)
    progress(f"precision: {precision}")
    return TrainingInputs(config, base, data, splits, train, validation, precision)


def _load_base(
    config: TrainConfig, settings: Settings, progress: Progress, recorded: TrainingPrecision | None
) -> LoadedModel:
    """The base model, each process's own on its own device; one that is to be sharded waits on the CPU for that.

    Raises:
        ModelError: it is unavailable or unusable, or its training cannot fit into the memory that is free.
    """
    device = pick_device()
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    _check_quantization(config, device)
    known = resolve_without_model(config, device, recorded)
    precision = known.precision if known else "float32"
    located = locate(config.base_model, config.revision, settings=settings, progress=progress)
    require_training_memory(located, config, device=device, precision=precision, progress=progress)
    # On a CPU the training makes its own copies; elsewhere what it only reads is never here as float32.
    half = config.quantization != "none" or (config.method == "lora" and device != "cpu" and precision == "bfloat16")
    sharding = sharding_asked()
    base = load_folder(
        located,
        settings=settings,
        device="cpu" if sharding else device,
        dtype=torch.bfloat16 if half else torch.float32,
        quantization=config.quantization,
    )
    check_causal(base.model, base.name)
    return replace(base, device=device) if sharding else base


def _check_quantization(config: TrainConfig, device: str) -> None:
    """Refuse now, and not after gigabytes were read, what cannot be quantised or not here."""
    if config.quantization == "none":
        return
    check_quantization(config)
    if device != "cuda":
        raise InputError(
            f"{config.quantization} weights need a CUDA device, and this machine has none; leave it at none.",
            field="quantization",
        )
    require_bitsandbytes(config.quantization)
    if sharding_asked():
        raise InputError("quantised weights are not sharded: launch without --use_fsdp.", field="quantization")


def _check_context(config: TrainConfig, base: LoadedModel, questions: Sequence[QAPair], kind: PromptKind) -> None:
    """Refuse lengths that the model cannot read, now and not at the evaluation after hours of training."""
    context = base.context
    if context is None:
        return
    if config.max_tokens > context:
        raise InputError(
            f"{config.max_tokens} is more than the {context} tokens that {base.name} can read.", field="max_tokens"
        )
    longest = max(len(encode_prompt(base.tokenizer, pair.question, kind)) for pair in questions)
    if longest + config.max_new_tokens > context:
        raise InputError(
            f"{config.max_new_tokens} and the longest test question's {longest} are more than the {context} tokens "
            f"that {base.name} can read; at most {max(context - longest, 0)} are possible.",
            field="max_new_tokens",
        )


def completed_record(draft: RunRecord, inputs: TrainingInputs) -> RunRecord:
    """A drafted record with what is known since its model and data were read."""
    base, data, splits = inputs.base, inputs.data, inputs.splits
    known = {
        "base_model": BaseModelRecord(
            id=base.name, revision=base.revision, sha256=base.sha256, parameters=base.parameters
        ),
        "data": DataRecord(
            source=data.name,
            licence=data.licence,
            pairs_parsed=data.pairs_parsed,
            pairs_answered=data.pairs_answered,
            duplicates_dropped=data.duplicates_dropped,
            split=splits.sizes,
            split_method=split.method(inputs.config),
            split_hash=splits.hash,
            filters=list(data.filters),
            truncated_share=round(inputs.train.truncated_share, 4),
            overlap=leakage.measure(splits, data.pairs),
            preparation=inputs.train.preparation,
        ),
        "environment": environment(base.device, inputs.precision.precision),
        "prompt": kind_for(base.tokenizer),
        "code_version": medqa_core.__version__,
    }
    return draft.model_copy(update=known)


def difference(record: RunRecord, inputs: TrainingInputs) -> Literal["base", "split"] | None:
    """What is not as the run recorded it, the base's weights or the split; None where both are, or it did not say."""
    if record.base_model is not None and record.base_model.sha256 not in (None, inputs.base.sha256):
        return "base"
    if record.data is not None and record.data.split_hash not in (None, inputs.splits.hash):
        return "split"
    return None


def environment(device: str, precision: TrainingPrecision) -> EnvironmentRecord:
    """The machine and the versions, as they are now."""
    packages = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            packages[name] = version(name)
    return EnvironmentRecord(
        device=device,
        precision=precision,
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        torch=torch.__version__,
        transformers=version("transformers"),
        packages=packages,
    )
