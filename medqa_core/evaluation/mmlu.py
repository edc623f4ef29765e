"""MMLU's six medical subsets, asked of the base and the fine-tuned model of a run by lm-evaluation-harness."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import lm_eval
import numpy as np
import pandas as pd
import transformers

from medqa_core.evaluation import mmlu_data
from medqa_core.evaluation.evaluate import checked, judge_again
from medqa_core.evaluation.mmlu_data import MMLUData
from medqa_core.evaluation.mmlu_forward import Answer
from medqa_core.evaluation.mmlu_model import HarnessModel
from medqa_core.evaluation.mmlu_tasks import Scoring, check, run_harness, task_name, tasks
from medqa_core.evaluation.partial import Partial
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant, load_variants
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.mmlu import FOLDER, LETTERS, RESULTS, SUBSETS, read_answers, write_answers
from medqa_core.runs.importers.source import without_paths
from medqa_core.runs.run import Run

PARTIAL = ".partial.jsonl"
MAX_LENGTH = 2048
"""Tokens that a model reads whose configuration does not say; the harness's own default."""


def measure_mmlu(
    run: Run, settings: Settings, *, scoring: str = "letter", shots: int = 0, progress: StageProgress = silent
) -> pd.DataFrame:
    """Ask both models of `run`; writes answers.parquet, results.json and evaluation.json, and returns the answers.

    What is answered is kept batch by batch: a call after an interrupted one with the same models, questions and
    protocol computes only the rest.

    Args:
        run: a run with a model of its own.
        settings: where the questions and the models are.
        scoring: `letter` compares the four letters after the listed choices, `cloze` the choices' own texts.
        shots: examples in the prompt: 0 or 5.
        progress: called with the stage, how many of its questions are answered, and how many it has.

    Raises:
        InputError: an imported run, one without a model or still being trained, or an unknown scoring or shots.
        ModelError: its models cannot be loaded.
        DataUnavailable: the questions are not available, or a file of them is damaged.
    """
    how = check(scoring, shots)
    checked(run)
    if run.weights_file() is None:
        raise InputError(f"{run.id} holds no model: there is nothing to ask.")
    data = mmlu_data.load(settings, shots)
    variants = load_variants(run, settings)
    built = tasks(data, how, shots)
    partial = Partial(run.folder / FOLDER / PARTIAL, _fingerprint(variants, data, how, shots))
    results: dict[str, Any] = {}
    logged: dict[Variant, dict[str, list[dict[str, Any]]]] = {}
    with partial:
        for variant in VARIANTS:
            with variants.using(variant) as model:
                asked = HarnessModel(
                    model,
                    variants.tokenizer,
                    variants.base.context or MAX_LENGTH,
                    known=_known(partial, variant),
                    keep=_keeper(partial, variant),
                    progress=_by_question(progress, f"{variant}_mmlu"),
                )
                found, logged[variant] = run_harness(asked, built)
            results[variant] = found | _about(run, variants, variant, data, how)
    discard_manifest(run.folder)
    write_answers(run.folder, _answers(logged, how))
    write_json(run.folder / RESULTS, results)
    judge_again(run)
    partial.discard()
    return read_answers(run.folder)


def _fingerprint(variants: ModelVariants, data: MMLUData, scoring: Scoring, shots: int) -> dict[str, Any]:
    return {
        "base_sha256": variants.base.sha256,
        "adapter_sha256": variants.adapter_sha256,
        "scoring": scoring,
        "shots": shots,
        "data_sha256": data.sha256,
        "lm_eval": lm_eval.__version__,
    }


def _known(partial: Partial, variant: Variant) -> dict[str, Answer]:
    known: dict[str, Answer] = {}
    for row in partial.rows:
        if row.get("variant", row.get("side")) == variant:  # version 0.1 called it a side
            with suppress(KeyError, TypeError, ValueError):  # a row that is none is asked again
                nats = row["logprob"]
                known[str(row["request"])] = (math.nan if nats is None else float(nats), bool(row["greedy"]))
    return known


def _keeper(partial: Partial, variant: Variant) -> Callable[[dict[str, Answer]], None]:
    def keep(answers: dict[str, Answer]) -> None:
        partial.add(
            {"variant": variant, "request": key, "logprob": nats if math.isfinite(nats) else None, "greedy": greedy}
            for key, (nats, greedy) in answers.items()
        )

    return keep


def _by_question(progress: StageProgress, stage: str) -> Callable[[int, int], None]:
    """Requests as questions: each has one request per letter."""
    return lambda done, total: progress(stage, done // len(LETTERS), total // len(LETTERS))


def _about(run: Run, variants: ModelVariants, variant: Variant, data: MMLUData, scoring: Scoring) -> dict[str, Any]:
    """What the harness itself says of a model that it loads, without what differs between equal measurements."""
    record = run.record.base_model
    assert record is not None, "load_variants has refused a run without a base model"
    name = without_paths(record.id)
    adapted = {"fine_tuned": run.id, "fine_tuned_sha256": variants.adapter_sha256} if variant == "fine_tuned" else {}
    return {
        "model_name": Path(name).name if Path(name).is_absolute() else name,
        "config": {
            "model": "HarnessModel",
            "model_args": {"pretrained": name, "revision": record.revision, "sha256": variants.base.sha256, **adapted},
            "model_num_parameters": variants.base.parameters,
            "model_dtype": str(variants.base.model.dtype),
            "scoring": scoring,
            "apply_chat_template": False,
            "prompt": "the harness's own, for both models; no chat template",
            "data": {"source": data.source, "sha256": data.sha256},
        },
        "chat_template": None,
        "lm_eval_version": lm_eval.__version__,
        "transformers_version": transformers.__version__,
    }


def _answers(logged: Mapping[Variant, dict[str, list[dict[str, Any]]]], scoring: Scoring) -> pd.DataFrame:
    frames = []
    for subset in SUBSETS:
        name = task_name(subset, scoring)
        columns: dict[str, Any] = {}
        for variant in VARIANTS:
            samples = sorted(logged[variant][name], key=lambda sample: int(sample["doc_id"]))
            nats = np.array([[answer[0] for answer in sample["filtered_resps"]] for sample in samples], np.float64)
            columns["subset"] = subset
            columns["question"] = [int(sample["doc_id"]) for sample in samples]
            columns["target"] = [int(sample["doc"]["answer"]) for sample in samples]
            # A model without four finite likelihoods has chosen nothing, and not A.
            columns[f"{variant}_choice"] = np.where(np.isfinite(nats).all(axis=1), nats.argmax(axis=1), np.nan)
            columns |= {f"{variant}_logprob_{letter.lower()}": nats[:, i] for i, letter in enumerate(LETTERS)}
        frames.append(pd.DataFrame(columns))
    return pd.concat(frames, ignore_index=True)
