"""A fine-tuned model by itself: the adapter's product added to the base's weights, in the layout that others load."""

from pathlib import Path

from medqa_core.foundation.errors import ModelError, first_line
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.silence import silenced
from medqa_core.models.variants import load_variants
from medqa_core.runs.run import Run


def save_merged(run: Run, settings: Settings, folder: Path, progress: Progress = silent) -> None:
    """Write the fine-tuned model of `run` whole into `folder`: float32 weights, configuration, generation config and
    tokenizer.

    Args:
        run: with weights; an adapter is merged, a whole model is written as it is.
        settings: where the cache is.
        folder: exists.
        progress: told what takes long.

    Raises:
        ModelUnavailable: the run holds no weights, or its base cannot be fetched.
        ModelError: as `load_variants`, or the merged weights are not finite.
        OSError: the disk is full or cannot be written.
    """
    variants = load_variants(run, settings, progress)
    model = variants.adapted
    if variants.shares_weights:
        progress("merging the adapter")
        try:
            with silenced():
                model = model.merge_and_unload(safe_merge=True)
        except ValueError as error:  # what a safe merge says of NaN
            raise ModelError(f"{run.id}: its adapter cannot be merged: {first_line(error)}") from error
    progress("writing the merged weights")
    with silenced():
        variants.tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors keeps its files from other users
