"""MMLU's tasks as lm-evaluation-harness packages them, on questions of our own choosing.

Prompt, choices and metric are the harness's; only where the questions come from is replaced. Gao et al., "The Language
Model Evaluation Harness", https://github.com/EleutherAI/lm-evaluation-harness.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import resources
from typing import Any, Literal, get_args

import datasets
import lm_eval.api.task
from lm_eval.evaluator import evaluate
from lm_eval.tasks._yaml_loader import load_yaml

from medqa_core.evaluation.mmlu_data import MMLUData, Question
from medqa_core.foundation.errors import InputError, UnknownName
from medqa_core.runs.artifacts.mmlu import CLOZE, SUBSETS
from medqa_core.runs.schema.evaluation import Scoring

Ask = Literal["letter", "cloze"]
"""What the harness is asked: the letters after the listed choices, or the choices' own texts."""
Wanted = Literal["auto"] | Scoring
"""`auto`: by letter, and by cloze where the letters of both models stand at chance."""
WANTED: tuple[Wanted, ...] = ("auto", *get_args(Scoring))
SHOTS = (0, 5)

FOLDERS = {"letter": "default", "cloze": "continuation"}
NAMES = {"letter": "mmlu_{}", "cloze": f"mmlu_{{}}{CLOZE}"}
ACCURACIES = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_bytes")]
"""Of the cloze tasks: the likeliest text, and the likeliest per byte, which does not favour short ones."""
FEATURES = datasets.Features(
    {
        "question": datasets.Value("string"),
        "subject": datasets.Value("string"),
        "choices": datasets.List(datasets.Value("string")),
        "answer": datasets.Value("int64"),
    }
)


def check(scoring: str, shots: int) -> Wanted:
    """`scoring` itself if both are allowed.

    Raises:
        InputError: one of them is not.
    """
    known = next((name for name in WANTED if name == scoring), None)
    if known is None:
        raise UnknownName("scoring", scoring, WANTED)
    if shots not in SHOTS:
        raise InputError(f"{shots} is not allowed; allowed: {', '.join(map(str, SHOTS))}.", field="shots")
    return known


def task_name(subset: str, ask: Ask) -> str:
    """The harness's name for a subset."""
    return NAMES[ask].format(subset)


def tasks(data: MMLUData, ask: Ask, shots: int) -> dict[str, Any]:
    """The harness's task of each subset by its name, filled with `data`."""
    folder = resources.files("lm_eval") / "tasks" / "mmlu" / FOLDERS[ask]
    built = {}
    with quiet():
        for subset in SUBSETS:
            config = load_yaml(str(folder / f"mmlu_{subset}.yaml"))
            config |= {"custom_dataset": _source(data, subset), "num_fewshot": shots}
            if ask == "cloze":
                config["metric_list"] = ACCURACIES
            name = task_name(subset, ask)
            assert config["task"] == name, "the harness has renamed its tasks"
            built[name] = lm_eval.api.task.ConfigurableTask(config=config)
    return built


def _source(data: MMLUData, subset: str) -> Any:
    """What the harness calls in place of the hub: the parts with the fields that the hub's data set has."""

    def parts(**_: Any) -> dict[str, Any]:
        return {"test": _rows(subset, data.test[subset]), "dev": _rows(subset, data.examples[subset])}

    return parts


def _rows(subset: str, questions: Sequence[Question]) -> Any:
    columns = {
        "question": [question.text for question in questions],
        "subject": [subset] * len(questions),
        "choices": [list(question.choices) for question in questions],
        "answer": [question.answer for question in questions],
    }
    return datasets.Dataset.from_dict(columns, features=FEATURES)


def run_harness(model: Any, built: dict[str, Any]) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The harness's results object, made strict JSON, and what it logged of each question by task."""
    with quiet():
        found = evaluate(model, {"tasks": built}, log_samples=True)
    samples: dict[str, list[dict[str, Any]]] = found.pop("samples")
    for config in found["configs"].values():
        config.pop("custom_dataset")  # our own function's source text: no part of the protocol
    return _strict(found), samples


def _strict(value: Any) -> Any:
    """`value` as strict JSON holds it: no NaN, no number of another library, no callable."""
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the harness below the level of an error, and its progress bars; everything restored after."""
    logger, bar = logging.getLogger("lm_eval"), lm_eval.api.task.tqdm
    level = logger.level
    logger.setLevel(logging.ERROR)
    lm_eval.api.task.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        logger.setLevel(level)
        lm_eval.api.task.tqdm = bar
