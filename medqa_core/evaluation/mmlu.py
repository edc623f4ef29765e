"""MMLU's six medical subsets, asked of the base and the fine-tuned model of a run by lm-evaluation-harness."""

import math
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import lm_eval
import pandas as pd
import transformers

from medqa_core.evaluation import mmlu_data
from medqa_core.evaluation.base_memory import BaseMemory
from medqa_core.evaluation.evaluate import checked, judge_again
from medqa_core.evaluation.mmlu_data import MMLUData
from medqa_core.evaluation.mmlu_measured import Measured
from medqa_core.evaluation.mmlu_model import Answer, HarnessModel
from medqa_core.evaluation.mmlu_tasks import Ask, check, run_harness, tasks
from medqa_core.evaluation.partial import Partial, Rows
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant, load_variants
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.mmlu import FOLDER, LETTERS, RESULTS, at_chance, read_answers, scored, write_answers
from medqa_core.runs.importers.source import without_paths
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Scoring

PARTIAL = ".partial.jsonl"
MAX_LENGTH = 2048
"""Tokens that a model reads whose configuration does not say; the harness's own default."""
REMEMBERED = {"measured": "log-likelihood"}
"""How the base's memory calls what is kept here; a request's key holds all that the model reads."""
STAGES: dict[Ask, str] = {"letter": "mmlu", "cloze": "mmlu_cloze"}


def measure_mmlu(
    run: Run,
    settings: Settings,
    *,
    scoring: str = "auto",
    shots: int = 0,
    fresh: bool = False,
    progress: StageProgress = silent,
) -> pd.DataFrame:
    """Ask both models of `run`; writes answers.parquet, results.json and evaluation.json, and returns the answers.

    What is answered is kept batch by batch: a call after an interrupted one with the same models, questions and
    examples computes only the rest, and what an earlier call asked is not asked again for another scoring. What the
    base answered for another run is taken from the cache.

    Args:
        run: a run with a model of its own.
        settings: where the questions and the models are.
        scoring: `letter` compares the four letters after the listed choices, `calibrated` the same with each letter's
            mean log-likelihood taken out, `cloze` the choices' own texts per byte, without listing them. `auto`: by
            letter, but by cloze where the letters of both models stand at chance (`runs.artifacts.mmlu.at_chance`).
        shots: examples in the prompt: 0 or 5.
        fresh: whether the base is asked anew, whatever the cache has of it.
        progress: called with the stage, how many of its questions are answered, and how many it has.

    Raises:
        InputError: an imported run, one without a model or still being trained, or an unknown scoring or shots.
        ModelError: its models cannot be loaded.
        DataUnavailable: the questions are not available, or a file of them is damaged.
    """
    wanted = check(scoring, shots)
    checked(run)
    if run.weights_file() is None:
        raise InputError(f"{run.id} holds no model: there is nothing to ask.")
    data = mmlu_data.load(settings, shots)
    variants = load_variants(run, settings)
    about = {variant: _about(run, variants, variant, data) for variant in VARIANTS}
    measured = Measured.earlier(run, about, shots)
    fingerprint = _fingerprint(variants, data, shots)
    with (
        Partial(run.folder / FOLDER / PARTIAL, fingerprint, older=partial(_of_today, fingerprint)) as kept,
        BaseMemory(variants.base, settings, recall=not fresh) as memory,
    ):
        decided: Scoring = "letter" if wanted == "auto" else wanted
        built = partial(tasks, data, shots=shots)
        _ask("cloze" if decided == "cloze" else "letter", measured, variants, built, kept, memory, progress)
        if wanted == "auto" and at_chance(scored(measured.answers, "letter")):
            decided = "cloze"
            _ask("cloze", measured, variants, built, kept, memory, progress)
    measured.judge(decided, about)
    discard_manifest(run.folder)
    write_answers(run.folder, measured.answers)
    write_json(run.folder / RESULTS, dict(measured.results))
    judge_again(run)
    kept.discard()
    return read_answers(run.folder)


def _ask(
    ask: Ask,
    measured: Measured,
    variants: ModelVariants,
    tasks_by: Callable[[Ask], dict[str, Any]],
    kept: Partial,
    memory: BaseMemory,
    progress: StageProgress,
) -> None:
    """Ask both models in one way, unless that was done."""
    if measured.has(ask):
        return
    built, results, logged = tasks_by(ask), {}, {}
    for variant in VARIANTS:
        with variants.using(variant) as model:
            asked = HarnessModel(
                model,
                variants.tokenizer,
                variants.base.context or MAX_LENGTH,
                known=_known(kept, variant, memory),
                keep=_keeper(kept, variant, memory),
                progress=_by_question(progress, f"{variant}_{STAGES[ask]}"),
            )
            results[variant], logged[variant] = run_harness(asked, built)
    measured.add(ask, results, logged)


def _fingerprint(variants: ModelVariants, data: MMLUData, shots: int) -> dict[str, Any]:
    return {
        "base_sha256": variants.base.sha256,
        "adapter_sha256": variants.adapter_sha256,
        "adapter_config_sha256": variants.config_sha256,
        "shots": shots,
        "data_sha256": data.sha256,
        "lm_eval": lm_eval.__version__,
    }


def _of_today(fingerprint: dict[str, Any], rows: Rows) -> Rows:
    """Rows of 0.2, whose first named the scoring too, and not the configuration beside the weights.

    A request is the same whatever it is asked for, and what 0.2 left unfinished is resumed.
    """
    if not rows:
        return rows
    first = {name: value for name, value in rows[0].items() if name != "scoring"}
    first.setdefault("adapter_config_sha256", fingerprint["adapter_config_sha256"])
    return [fingerprint, *rows[1:]] if first == fingerprint else rows


def _known(kept: Partial, variant: Variant, memory: BaseMemory) -> dict[str, Answer]:
    known: dict[str, Answer] = {}
    if variant == "base":
        known = {request: _answer(*value) for request, (value, _) in memory.known(REMEMBERED).items()}
    for row in kept.rows:
        if row.get("variant", row.get("side")) == variant:  # version 0.1 called it a side
            with suppress(KeyError, TypeError, ValueError):  # a row that is none is asked again
                known[str(row["request"])] = _answer(row["logprob"], row["greedy"])
    return known


def _answer(nats: float | None, greedy: bool) -> Answer:
    return (math.nan if nats is None else float(nats), bool(greedy))


def _keeper(kept: Partial, variant: Variant, memory: BaseMemory) -> Callable[[dict[str, Answer]], None]:
    def keep(answers: dict[str, Answer]) -> None:
        plain = {key: (nats if math.isfinite(nats) else None, greedy) for key, (nats, greedy) in answers.items()}
        kept.add(
            {"variant": variant, "request": key, "logprob": nats, "greedy": greedy}
            for key, (nats, greedy) in plain.items()
        )
        if variant == "base":
            memory.keep(REMEMBERED, plain)

    return keep


def _by_question(progress: StageProgress, stage: str) -> Callable[[int, int], None]:
    """Requests as questions: each has one request per letter."""
    return lambda done, total: progress(stage, done // len(LETTERS), total // len(LETTERS))


def _about(run: Run, variants: ModelVariants, variant: Variant, data: MMLUData) -> dict[str, Any]:
    """What the harness itself says of a model that it loads, without what differs between equal measurements."""
    record = run.record.base_model
    assert record is not None, "load_variants has refused a run without a base model"
    name = without_paths(record.id)
    tuned = {
        "fine_tuned": run.id,
        "fine_tuned_sha256": variants.adapter_sha256,
        "fine_tuned_config_sha256": variants.config_sha256,
    }
    adapted = tuned if variant == "fine_tuned" else {}
    return {
        "model_name": Path(name).name if Path(name).is_absolute() else name,
        "config": {
            "model": "HarnessModel",
            "model_args": {"pretrained": name, "revision": record.revision, "sha256": variants.base.sha256, **adapted},
            "model_num_parameters": variants.base.parameters,
            "model_dtype": str(variants.base.model.dtype),
            "apply_chat_template": False,
            "prompt": "the harness's own, for both models; no chat template",
            "data": {"source": data.source, "sha256": data.sha256},
        },
        "chat_template": None,
        "lm_eval_version": lm_eval.__version__,
        "transformers_version": transformers.__version__,
    }
