"""A fine-tune from its configuration to the adapter in the run folder."""

import contextlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset as TorchDataset
from transformers import PrinterCallback, Trainer, set_seed

from medqa_core.evaluation.loss import answer_losses, mean_loss
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Example
from medqa_core.runs.config import TrainConfig
from medqa_core.runs.series import SeriesWriter
from medqa_core.runs.status import elapsed_since
from medqa_core.runs.store import Run, RunStore
from medqa_core.runs.worker import StatusWriter
from medqa_core.training.arguments import training_arguments
from medqa_core.training.examples import RightPadding
from medqa_core.training.model import save, trainable
from medqa_core.training.prepare import Prepared, new_record, prepare
from medqa_core.training.recorder import Recorder

log = logging.getLogger("medqa.train")


def train(
    config: TrainConfig,
    settings: Settings,
    *,
    run_id: str | None = None,
    progress: Callable[[str], None] = lambda _: None,
    bar: bool = False,
) -> Run:
    """Run the whole fine-tune and return its run, completed or stopped.

    What is wrong with the configuration, the model or the data is raised before anything is written.

    Raises:
        MedQAError: bad input, a model or data set out of reach, or a loss that is not finite.
    """
    store = RunStore(settings.reports)
    if run_id is not None:
        store.refuse_taken(run_id)  # now: the model may take minutes to come
    prepared = prepare(config, settings, progress)
    run = store.create(new_record(config, prepared, store, run_id))
    progress(f"run {run.id}")
    with _logged(run.folder / "train.log"), StatusWriter(run.folder) as status:
        try:
            seconds, finished = _fit(config, prepared, run, status, bar=bar)
        except KeyboardInterrupt:  # before the first step; `_fit` sees to it afterwards
            status.update(state="stopped", stage=None)
            log.warning("stopped before the first step")
            return run
        except MedQAError as error:
            status.update(state="failed", error=str(error))
            log.error("%s", error)
            raise
        except Exception as error:
            status.update(state="failed", error=_in_words(error))
            log.exception("the fine-tune failed")
            raise
        status.update(state="completed" if finished else "stopped", stage=None, train_seconds=seconds)
    return run


def _fit(config: TrainConfig, prepared: Prepared, run: Run, status: StatusWriter, *, bar: bool) -> tuple[float, bool]:
    """Train, keeping the weights of the lowest validation loss. Returns the seconds and whether it ran to its end."""
    set_seed(config.seed)
    base = prepared.base
    model = trainable(base, config)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    log.info("training %s of %s weights on %s", f"{trained:,}", f"{base.parameters:,}", base.device)
    start = time.monotonic()
    writer = SeriesWriter(run.folder / "metrics.jsonl")

    def keep() -> None:
        save(model, base.tokenizer, base.name, run.folder, config.method)

    recorder = Recorder(writer, status, len(prepared.parts.train), keep, start)
    with tempfile.TemporaryDirectory(prefix="medqa-") as scratch:
        trainer = _Trainer(
            prepared.validation,
            model=model,
            args=training_arguments(config, Path(scratch), base.device, bar=bar),
            train_dataset=prepared.training.dataset,
            eval_dataset=prepared.training.dataset.select(range(0)),
            data_collator=RightPadding(base.tokenizer.pad_token_id),
            processing_class=base.tokenizer,
            callbacks=[recorder],
        )
        trainer.remove_callback(PrinterCallback)
        finished = True
        try:
            trainer.train()  # validates at its last step too, wherever that falls
        except KeyboardInterrupt:
            finished = False
            log.warning("stopped at step %d of %d", trainer.state.global_step, trainer.state.max_steps)
        finally:
            writer.close()
    status.note(step=trainer.state.global_step, epoch=trainer.state.epoch or 0.0)
    return elapsed_since(start), finished


class _Trainer(Trainer):  # type: ignore[misc]
    """Hugging Face's Trainer, validating with the loss that the evaluation uses: every answer token counts the same."""

    def __init__(self, validation: list[Example], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._validation = validation

    def evaluate(
        self, eval_dataset: TorchDataset[Any] | None = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Mean loss a token over the validation answers."""
        self.model.eval()
        metrics = {f"{metric_key_prefix}_loss": mean_loss(answer_losses(self.model, self._validation))}
        self.model.train()
        self.log(dict(metrics))
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)  # or it validates again
        return metrics


def _in_words(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text:
        return "Out of memory. Halve batch_size and double accumulation, or lower max_tokens."
    if isinstance(error, OSError) and error.errno == 28:
        return "The disk is full. Free some space and start again."
    return f"{type(error).__name__}: {text}"


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """Everything that is logged inside the block, warnings included, also goes to `path`."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    level = log.level
    logging.captureWarnings(True)
    root.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        logging.captureWarnings(False)
        log.setLevel(level)
        handler.close()
