"""The base and the fine-tuned model of one run, on one set of base weights where the run is an adapter."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from peft import PeftModel

from medqa_core.foundation.errors import ModelError, ModelUnavailable, first_line
from medqa_core.foundation.files import sha256
from medqa_core.foundation.paths import resolve_inside
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.adapter import check_adapter
from medqa_core.models.loader import LoadedModel, load, load_tokenizer, loading, locate, pick_device
from medqa_core.models.memory import require_memory
from medqa_core.models.prompt import kind_for
from medqa_core.models.silence import silenced
from medqa_core.runs.artifacts.weights import config_file
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import VARIANTS, PromptKind, Variant

__all__ = ["VARIANTS", "ModelVariants", "Variant", "load_variants", "with_adapter"]


@dataclass
class ModelVariants:
    """The two models of a run, ready to compute. Not thread-safe: one caller at a time holds it."""

    run_id: str
    base: LoadedModel
    adapted: Any
    """A PeftModel around the base's weights, or the whole fine-tuned model."""
    adapter_sha256: str
    """Of the fine-tuned weights: the adapter's file, or the whole model's."""
    prompt: PromptKind
    config_sha256: str = ""
    """Of the configuration beside the fine-tuned weights: an adapter's scale is no weight, and decides as much."""
    not_convertible: bool = field(default=False, init=False, compare=False)
    """Whether OpenVINO was found not to take them; it takes a whole conversion to find out."""

    @property
    def tokenizer(self) -> Any:
        """The one tokenizer of both models."""
        return self.base.tokenizer

    @property
    def shares_weights(self) -> bool:
        """Whether one set of base weights serves both variants."""
        return isinstance(self.adapted, PeftModel)

    @contextmanager
    def using(self, variant: Variant) -> Iterator[Any]:
        """The model of one variant; its adapter is off inside the block when it is the base."""
        if variant == "fine_tuned":
            yield self.adapted
        elif self.shares_weights:
            with self.adapted.disable_adapter():
                yield self.adapted
        else:
            yield self.base.model


def load_variants(run: Run, settings: Settings, progress: Progress = silent) -> ModelVariants:
    """The base and the fine-tuned model of `run`.

    Raises:
        ModelUnavailable: the run has no model of its own, or its base cannot be fetched.
        ModelError: the adapter is damaged or was trained on another base, or two whole models do not fit into memory.
        OutsideStore: a file of the fine-tuned model is a link out of its folder.
    """
    record, weights = run.record, run.weights_file()
    if record.base_model is None or weights is None:
        raise ModelUnavailable(f"{run.id} holds no model: it can be read but not asked.")
    adapter = run.adapter_folder()
    if adapter is None:
        located = locate(record.base_model.id, record.base_model.revision, settings=settings, progress=progress)
        folders = {located.name: located.folder, f"{run.id}/model": weights.parent}
        require_memory(run.id, folders, device=pick_device(), progress=progress)
    base = load(record.base_model.id, record.base_model.revision, settings=settings, progress=progress)
    if record.base_model.sha256 and record.base_model.sha256 != base.sha256:
        raise ModelError(
            f"{run.id} was trained on a base with SHA-256 {record.base_model.sha256[:12]}…, "
            f"but {base.name} here has {base.sha256[:12]}…; its answers would not be the run's."
        )
    if adapter is not None:
        progress("loading the adapter")
        adapted, checksum = with_adapter(base.model, adapter, run.id), sha256(weights)
    else:
        progress("loading the fine-tuned model")
        for path in weights.parent.iterdir():  # of the configuration and tokenizer too, none is a link out of the run
            resolve_inside(weights.parent, path.name)
        tuned = load(str(weights.parent), settings=settings, device=base.device, progress=progress)
        adapted, checksum = tuned.model, tuned.sha256
    imported = record.imported.model if record.imported is not None else None
    if imported is not None and imported.own_tokenizer:
        with loading(run.id):
            base = replace(base, tokenizer=load_tokenizer(weights.parent, run.id))
    prompt: PromptKind = "plain" if record.prompt == "plain" else kind_for(base.tokenizer)
    return ModelVariants(run.id, base, adapted, checksum, prompt, sha256(config_file(weights)))


def with_adapter(model: Any, adapter: Path, label: str) -> PeftModel:
    """`model` with the adapter in the folder `adapter`, in evaluation mode; nothing of it is read before it is checked.

    Raises:
        ModelError: it is more than low-rank matrices, damaged, incomplete, or of another base.
    """
    check_adapter(adapter, f"{label}: its adapter")
    try:
        with silenced():
            # peft fills what is missing with an adapter that does nothing: the base would answer in its name.
            warnings.filterwarnings("error", "Found missing adapter keys", UserWarning)
            # It is the same for whoever made the adapter: base and fine-tuned model share their embeddings here too.
            warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
            adapted: PeftModel = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
    except UserWarning as error:
        raise ModelError(f"{label}: its adapter is incomplete; restore it or train the run again.") from error
    except Exception as error:  # peft and what it uses read a foreign file here, each with errors of its own
        raise ModelError(f"{label}: its adapter cannot be loaded on this base: {first_line(error)}") from error
    adapted.eval()
    return adapted
