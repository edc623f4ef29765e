"""From a run's configuration to its weights: each file of the training computed from the one before it, or compared.

Without a secret nothing can prove who wrote a file. What can be shown is that the files agree: the learning rates and
the examples of the log follow from the configuration and the split, the adapter's scale is that of the configuration,
and the weights have on the validation questions the loss that the log states for them, which nobody gets from other
weights by changing numbers.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.data.pairs import QAPair
from medqa_core.evaluation.loss import answer_losses, mean_loss
from medqa_core.evaluation.measure import Questions
from medqa_core.foundation.files import read_json
from medqa_core.foundation.paths import resolve_inside
from medqa_core.models.adapter import CONFIG
from medqa_core.models.prompt import Example
from medqa_core.models.variants import VARIANTS, ModelVariants
from medqa_core.runs.metrics_log.log import Curve
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig

RATE_TOLERANCE = 1e-9
"""Relative: a learning rate is computed in the same way each time."""
LOSS_TOLERANCE = 1e-3
"""Relative: float32 on another machine, in other batches. Three digits tell any two models apart."""
BFLOAT16_TOLERANCE = 2e-2
"""The same of a loss that was computed in bfloat16 while training, and in float32 here."""
SAMPLE = 8
"""Test questions whose losses are computed again."""


def settings_problem(run: Run, config: TrainConfig) -> tuple[int, str | None]:
    """How many figures of the training follow from its configuration, and the first that does not."""
    count = 0
    for name, stated, expected in (*_adapter(run, config), *_log(run, config), *_best(run)):
        count += 1
        if not _same(stated, expected):
            return count, f"{name} is {_text(stated)}, but {_text(expected)} follows"
    return count, None


def _adapter(run: Run, config: TrainConfig) -> Iterator[tuple[str, Any, Any]]:
    """The adapter's shape and scale; it is in its configuration and not in its weights."""
    folder = run.adapter_folder()
    if folder is None:
        if run.model_folder() is not None:
            yield "the method that model/ stands for", "lora" if config.method == "lora" else "whole", "whole"
        return
    yield "the method of run.json", config.method, "lora"
    stated = read_json(resolve_inside(folder, CONFIG))
    expected = {
        "r": config.lora_rank,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "use_rslora": False,
        "use_dora": False,
        "bias": "none",
    }
    for name, value in expected.items():
        yield f"{name} of the adapter's configuration", stated.get(name, value), value


def _log(run: Run, config: TrainConfig) -> Iterator[tuple[str, Any, Any]]:
    """Learning rate and number of examples of each row, and the last step, from the configuration and the split."""
    data, log, status = run.record.data, run.metrics_log(), run.status()
    examples = data.examples if data is not None else None
    if not examples:
        return
    for curve in (log.train, log.validation):
        for row in _rows(curve):
            where, step = f"metrics.jsonl, step {int(row['step']):,}", int(row["step"])
            if math.isfinite(row["learning_rate"]):
                rate = _rate(run, config, step, examples, row["learning_rate"])
                yield f"{where}: the learning rate", row["learning_rate"], rate
            if math.isfinite(row["examples"]):
                yield f"{where}: the number of examples", row["examples"], config.examples_seen(step, examples)
    if status is not None and status.total_steps is not None:
        yield "the number of steps in status.json", status.total_steps, config.steps(examples)


def _rate(run: Run, config: TrainConfig, step: int, examples: int, stated: float) -> float:
    """The learning rate that follows; the first runs of version 0.1 began their warm-up at 0, a step behind."""
    early = config.learning_rate * (step - 1) / max(1, config.warmup_steps)
    if run.record.code_version == "0.1.0" and step <= config.warmup_steps and _same(stated, early):
        return early
    return config.learning_rate_at(step, examples)


def _rows(curve: Curve) -> Iterator[dict[str, float]]:
    names = ("step", "learning_rate", "examples")
    for values in zip(*(curve[name].tolist() for name in names), strict=True):
        yield dict(zip(names, values, strict=True))


def _best(run: Run) -> Iterator[tuple[str, Any, Any]]:
    """The validation whose weights were kept is the lowest of the log."""
    best, lowest = recorded_best(run), _lowest(run.metrics_log().validation)
    status = run.status()
    if best is not None and status is not None and status.best is not None:
        yield "the step of the best weights in status.json", status.best.step, best[0]
        yield "the best validation loss in status.json", status.best.validation_loss, best[1]
    if best is not None and lowest is not None:
        yield "the step of the weights that were kept", best[0], lowest[0]
        yield "the validation loss of the weights that were kept", best[1], lowest[1]


def recorded_best(run: Run) -> tuple[int, float] | None:
    """Step and validation loss of the weights that were kept, as the training said."""
    snapshot = run.snapshot()
    status, record = snapshot.status, snapshot.training_record
    best = record.best if record is not None else status.best if status is not None else None
    return None if best is None else (best.step, best.validation_loss)


def _lowest(curve: Curve) -> tuple[int, float] | None:
    losses = curve["loss"]
    kept = np.flatnonzero(np.isfinite(losses))
    if not len(kept):
        return None
    place = kept[np.argmin(losses[kept])]  # the first of equals: a loss has to be lower to count
    return int(curve["step"][place]), float(losses[place])


def validation_problem(
    variants: ModelVariants, examples: Sequence[Example], stated: float, tolerance: float
) -> tuple[float, str | None]:
    """The loss of the run's weights on the examples that the training validated on, and whether it is another one."""
    with variants.using("fine_tuned") as model:
        found = mean_loss(answer_losses(model, examples))
    if math.isclose(found, stated, rel_tol=tolerance):
        return found, None
    return found, f"the training recorded {stated:.4f}, these weights have {found:.4f} on the same questions"


def sampled(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose losses are computed again, at equal distances from the first to the last."""
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).astype(int))]


def sample_problem(
    variants: ModelVariants,
    some: pd.DataFrame,
    pairs: Sequence[QAPair],
    tokens: int,
    prompts: Sequence[str] = (),
) -> tuple[int, str | None]:
    """How many losses of predictions.parquet the models still have, and the first that differs.

    Args:
        some: rows of the run's predictions.
        pairs: their questions, in the same order.
        tokens: the loss is over so many, with the prompt.
        prompts: as in `Questions.of`.
    """
    examples = Questions.of(variants, pairs, variants.prompt, tokens, prompts=prompts).examples
    count = 0
    for variant in VARIANTS:
        with variants.using(variant) as model:
            found = answer_losses(model, examples)
        for id_, stated, one in zip(some["question_id"], some[f"{variant}_loss"], found, strict=True):
            here = one.total / one.tokens if one.tokens else math.nan
            count += 1
            if pd.isna(stated) != (not math.isfinite(here)) or (
                math.isfinite(here) and not math.isclose(here, float(stated), rel_tol=LOSS_TOLERANCE)
            ):
                said = "nothing finite" if pd.isna(stated) else f"{float(stated):.4f}"
                return count, f"{variant} loss on {id_}: stated {said}, computed {here:.4f}"
    return count, None


def _same(stated: Any, expected: Any) -> bool:
    if isinstance(stated, bool) or isinstance(expected, bool) or isinstance(stated, str):
        return bool(stated == expected)
    if isinstance(stated, int | float) and isinstance(expected, int | float):
        return math.isclose(stated, expected, rel_tol=RATE_TOLERANCE)
    return bool(stated == expected)


def _text(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
