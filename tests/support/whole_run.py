"""All that a run can hold besides what training and evaluation leave."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from medqa_core.evaluation.preference import judge_preference
from medqa_core.foundation.files import read_json, write_json, write_text
from medqa_core.report import writer
from medqa_core.runs.artifacts.int8 import INT8, Change, Int8Cost, VariantCost
from medqa_core.runs.artifacts.job import Job, write_job
from medqa_core.runs.artifacts.mmlu import ANSWER_SCHEMA, RESULTS, SUBSETS, write_answers
from medqa_core.runs.artifacts.model_judge import JUDGE, ModelJudge, write_judge_rows
from medqa_core.runs.artifacts.retrieval import RETRIEVAL, Recall, Retrieval
from medqa_core.runs.artifacts.votes import Vote, cast_vote
from medqa_core.runs.artifacts.with_sources import SCHEMA as GROUNDED_SCHEMA
from medqa_core.runs.artifacts.with_sources import write_with_sources
from medqa_core.runs.run import Run
from medqa_core.runs.schema.estimate import ComputedMemory, Estimate, Range
from medqa_core.runs.schema.status import now
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint
from medqa_core.training.checkpoint import Counters
from tests.support.full_run import with_likelihoods

STEPS = (8, 12)
"""Of the two checkpoints."""


def add_everything(run: Run) -> None:
    """Add to a run that was trained and evaluated all that other verbs add to one."""
    write_job(run.folder, Job(submitted_at=now(), evaluate=True, estimate=_estimate()))
    write_with_sources(run.folder, _with_sources(run))
    write_json(run.folder / "evaluation.json", _evaluation(run))
    write_json(run.folder / INT8, _int8().model_dump(mode="json"))
    _add_judge(run)
    write_json(run.folder / RETRIEVAL, _retrieval().model_dump(mode="json"))
    write_json(run.folder / RESULTS, {"base": _mmlu(0.24), "fine_tuned": _mmlu(0.25)})
    write_answers(run.folder, _answers())
    write_text(run.folder / "trials.csv", "recipe,rank,loss\nfirst,4,3.21\nsecond,8,3.05\n")
    for number in range(6):
        cast_vote(run.folder, _vote(run, number))
    for step in STEPS:
        tensors = {"a.lora_A.weight": torch.full((4, 8), float(step)), "a.lora_B.weight": torch.zeros(8, 4)}
        moments = {f"{kind}/{name}": tensors[name] + 1 for name in tensors for kind in ("exp_avg", "exp_avg_sq")}
        checkpoint.write(run.folder, Counters(step=step, tokens=step * 100), tensors, moments, _random_state())
    writer.write(RunStore(run.folder.parent).open(run.id))  # read anew


def _random_state() -> dict[str, torch.Tensor]:
    return {"cpu": torch.get_rng_state()}


def _estimate() -> Estimate:
    seconds = Range(low=1, middle=2, high=3)
    return Estimate(
        device="cpu", steps=12, tokens=9000, truncated_share=0.1, measured_steps=3, tokens_per_second=900.0,
        train_seconds=seconds, memory=2**29, memory_total=2**34,
        computed=ComputedMemory(weights=2**27, gradients=2**26, moments=2**27, activations=2**27, process=2**26),
    )  # fmt: skip


def _with_sources(run: Run) -> pd.DataFrame:
    rows = run.predictions()
    assert rows is not None
    frame = pd.DataFrame(index=rows.index, columns=GROUNDED_SCHEMA.names)
    for column in ("question_id", "group_id"):
        frame[column] = rows[column]
    for column in ("rouge1", "rouge2", "rougeL", "token_f1", "repetition", "copied_share"):
        frame[column] = rows[f"base_{column}"]
    frame["answer"], frame["tokens"] = rows["base_answer"], rows["base_answer_tokens"]
    frame["passages"] = [["q1", "q2"] for _ in rows.index]
    return frame


def _evaluation(run: Run) -> dict[str, Any]:
    """The run's own, with a part about answers given with passages."""
    value: dict[str, Any] = read_json(run.folder / "evaluation.json")
    rouge = {"rougeL": value["metrics"]["rougeL"]}
    with_sources = {
        "weights": "base",
        "against_base": rouge,
        "against_fine_tuned": rouge,
        "protocol": {"retrieval": {"passages": 3, "method": "BM25", "test_documents_held_out": True}},
    }
    return value | {"with_sources": with_sources}


def _int8() -> Int8Cost:
    loss = Change(float32=2.5, int8=2.5004, difference=0.0004, ci=(-0.001, 0.002))
    variant = VariantCost(same=0.5, loss=loss, rougeL=Change(float32=0.2, int8=0.19, difference=-0.01))
    sums = {"base_sha256": "a" * 64, "fine_tuned_sha256": "b" * 64}
    return Int8Cost(questions=12, max_new_tokens=16, engine="CTranslate2 4", base=variant, fine_tuned=variant, **sums)


def _add_judge(run: Run) -> None:
    """A judge model's choices: for the fine-tuned model, and of every third question for what stands first."""
    rows = run.predictions()
    assert rows is not None
    kept = rows[["question_id", "group_id"]].assign(drawn=True, fine_tuned_first="fine_tuned")
    kept["base_first"] = ["base" if n % 3 == 0 else "fine_tuned" for n in range(len(kept))]
    write_judge_rows(run.folder, kept)
    about = {"model": "judge-1", "where": "address", "prompt_sha256": "c" * 64, "questions": len(kept), "of": len(kept)}
    result = ModelJudge(**about, requests=2 * len(kept), unusable=0, preference=judge_preference(kept), seconds=9.0)
    write_json(run.folder / JUDGE, result.model_dump(mode="json"))


def _retrieval() -> Retrieval:
    found = [Recall(k=k, hits=k, n=12, share=k / 12, ci=(0.0, 0.9)) for k in (1, 3, 5, 10)]
    return Retrieval(
        method="BM25", questions=12, passages=48, known_item_passages=72, known_item=found, support=found,
        support_by_chance=found,
    )  # fmt: skip


def _mmlu(accuracy: float) -> dict[str, Any]:
    names = [f"mmlu_{name}" for name in SUBSETS]
    row = {"acc,none": accuracy, "acc_stderr,none": 0.03}
    return {"results": dict.fromkeys(names, row), "n-samples": {name: {"effective": 100} for name in names}}


def _answers(n: int = 120) -> pd.DataFrame:
    drawn = np.random.default_rng(5)
    columns: dict[str, Any] = {
        **dict.fromkeys(ANSWER_SCHEMA.names, -1.0),
        "subset": [SUBSETS[i % len(SUBSETS)] for i in range(n)],
        "question": np.arange(n),
        "target": drawn.integers(0, 4, n),
        "base_choice": drawn.integers(0, 4, n),
        "fine_tuned_choice": drawn.integers(0, 4, n),
    }
    return with_likelihoods(pd.DataFrame(columns))


def _vote(run: Run, number: int) -> Vote:
    evaluation = run.evaluation()
    assert evaluation is not None
    return Vote(
        id=f"{number:032x}", time=now(), left="base", choice=("left", "right", "tie")[number % 3],
        base_sha256=evaluation.protocol.base_sha256, fine_tuned_sha256=evaluation.protocol.fine_tuned_sha256,
        temperature=0.0, precision="float32",
    )  # fmt: skip
