"""A run that holds everything an evaluation can say: sources, a clean subset, copies, repetition, MMLU letters."""

from typing import Any

import numpy as np
import pandas as pd

from medqa_core.runs.artifacts.mmlu import ANSWER_SCHEMA, SUBSETS, write_answers
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import VARIANTS
from tests.support.evaluations import evaluation, metric
from tests.support.runs import RunBuilder

ROWS = 120


def full(build: RunBuilder, run_id: str = "full", **changes: Any) -> Run:
    """A finished run with every field filled and every tested difference planted."""
    run = build.finished(run_id)
    build.status(run, memory={"used": 1, "peak": 1, "total": 16 * 10**9, "available": 1})
    build.evaluation(run, **(rich_evaluation() | changes))
    build.predictions(run, ROWS, **columns())
    write_answers(run.folder, mmlu_answers([0.1, 0.1, 0.7, 0.1]))
    return run


def rich_evaluation() -> dict[str, Any]:
    """The newer parts of an evaluation.json."""
    metrics = {
        **evaluation()["metrics"],
        "rouge1": metric(0.211, 0.222, 0.02, "cannot tell", p=0.2, margin=0.01, required_n=260),
        "rouge2": metric(0.051, 0.066, 0.012, "better"),
        "token_f1": metric(0.301, 0.302, 0.004, "equivalent", p=0.6, margin=0.01),
    }
    metrics["mmlu"] = metrics["mmlu"] | {"margin": 0.01, "required_n": 4360}
    sources = {
        "GARD": {"loss": metric(2.45, 2.0, 0.08, "better", n=40)},
        "NIDDK": {"loss": metric(2.4, 2.1, 0.12, "better", n=15)},
        "CDC": {"loss": metric(2.3, 2.25, 0.3, "cannot tell", n=5, p=0.6)},
    }
    variant = {"empty_share": 0.0, "mean_tokens": 40.0, "seconds": 30.0, "prompt": "chat"}
    return {
        "metrics": metrics,
        "by_source": sources,
        "by_question_type_correction": "holm",
        "clean": {
            "loss": metric(2.44, 2.11, 0.07, "better", n=44, groups=25),
            "rougeL": metric(0.15, 0.18, 0.04, "cannot tell", n=44, p=0.1, margin=0.01, required_n=700),
        },
        "base_generation": variant | {"length_ratio": 0.6, "repetition": 0.04},
        "fine_tuned_generation": variant | {"length_ratio": 0.9, "repetition": 0.16},
    }


def columns(rows: int = ROWS, seed: int = 3) -> dict[str, Any]:
    """Columns of predictions.parquet in which the fine-tuned model copies and repeats itself more."""
    random = np.random.default_rng(seed)
    tuned = np.where(random.random(rows) < 0.3, 0.95, np.where(random.random(rows) < 0.3, 0.6, 0.1))
    f1 = random.uniform(0.1, 0.4, rows)
    return {
        "question_type": [("symptoms", "treatment", "causes")[i % 3] for i in range(rows)],
        "source": [("GARD", "GARD", "NIDDK", "CDC")[i % 4] for i in range(rows)],
        "base_copied_share": random.uniform(0, 0.3, rows),
        "fine_tuned_copied_share": tuned,
        "base_nearest": [f"t{i}" for i in range(rows)],
        "fine_tuned_nearest": [f"t{i * 2}" for i in range(rows)],
        "base_repetition": random.uniform(0, 0.1, rows),
        "fine_tuned_repetition": random.uniform(0, 0.35, rows),
        "base_token_f1": f1,
        "fine_tuned_token_f1": f1 + random.normal(0, 0.02, rows),
        "references": 1,
        "train_overlap": np.where(np.arange(rows) % 4 == 0, 0.4, 0.0),
    }


def mmlu_answers(tuned: list[float], n: int = 600, seed: int = 4) -> pd.DataFrame:
    """MMLU choices with given shares of the fine-tuned model's letters; the base model chooses evenly."""
    random = np.random.default_rng(seed)
    rows = pd.DataFrame(
        {
            **dict.fromkeys(ANSWER_SCHEMA.names, -1.0),
            "subset": [SUBSETS[i % len(SUBSETS)] for i in range(n)],
            "question": np.arange(n),
            "target": random.integers(0, 4, n),
            "base_choice": random.integers(0, 4, n),
            "fine_tuned_choice": random.choice(4, n, p=tuned),
        }
    )
    return with_likelihoods(rows)


def with_likelihoods(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of MMLU answers whose letters' likelihoods lead to their choices."""
    nats = {
        f"{variant}_logprob_{letter}": np.where(rows[f"{variant}_choice"] == place, -0.5, -1.0)
        for variant in VARIANTS
        for place, letter in enumerate("abcd")
    }
    return rows.assign(**nats)


def swapped(frame: pd.DataFrame, column: str, random: np.random.Generator) -> dict[str, Any]:
    """Both variants of a column with the models exchanged on a coin's throw a row: what no difference looks like."""
    base, tuned = frame[f"base_{column}"].to_numpy(), frame[f"fine_tuned_{column}"].to_numpy()
    coin = random.random(len(frame)) < 0.5
    return {f"base_{column}": np.where(coin, base, tuned), f"fine_tuned_{column}": np.where(coin, tuned, base)}
