"""Files that strangers may bring, each valid, with how it is made odd and what of the program reads it."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa

from medqa_core.data import medquad, own
from medqa_core.data.readers import file
from medqa_core.evaluation import mmlu_data
from medqa_core.models import folders
from medqa_core.models.adapter import check_adapter
from medqa_core.runs.artifacts.int8 import read_int8
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.artifacts.manifest import check_manifest
from medqa_core.runs.artifacts.model_judge import read_judge
from medqa_core.runs.artifacts.retrieval import read_retrieval
from medqa_core.runs.artifacts.training_record import differences, read_training_record
from medqa_core.runs.artifacts.votes import read_votes
from medqa_core.runs.importers import importer
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint
from tests.security import mutate
from tests.support.foreign_runs import SUMMARY, trainer_state
from tests.support.qa_pairs import GOUT

Mutation = Callable[[bytes, Random], bytes]


@dataclass(frozen=True)
class Target:
    """A file that a stranger may bring: where it lies, what is valid, how it is made odd, and what reads it."""

    file: str
    valid: bytes
    mutation: Mutation
    read: Callable[[Path], object]


def opened(folder: Path) -> Run:
    return RunStore(folder.parent).open(folder.name)


def imported(path: Path) -> object:
    draft = importer.read_draft(path, keep_prose=True)
    try:
        return importer.record_of(path, draft, "fuzz", None)
    except ValueError:  # pydantic's; `import_path` makes one of our own errors of it
        return None


def pairs(path: Path) -> object:
    return own.pairs([file.read(path)], path.name, {})


def listed(folder: Path) -> object:
    return RunStore(folder.parent).list()


LM_EVAL = {
    "results": {"mmlu_anatomy": {"acc,none": 0.3, "acc_stderr,none": 0.02, "alias": "anatomy"}},
    "n-samples": {"mmlu_anatomy": {"original": 135, "effective": 135}},
    "versions": {"mmlu_anatomy": 1.0},
    "config": {"model": "hf"},
    "date": 1.7e9,
}
ROWS = [{"question": f"What is thing {n}?", "answer": f"Thing {n}.", "topic": "a", "source": "b"} for n in range(4)]
CSV = "question,answer,topic\n" + "".join(f'"What is ""{n}""?",It is {n}.,t\n' for n in range(4))
CHAT = [
    {
        "id": n,
        "messages": [{"role": role, "content": f"{role} {n}"} for role in ("system", "user", "assistant", "user")],
    }
    for n in range(4)
]
SQUAD = {
    "version": "v2.0",
    "data": [{"title": "a", "paragraphs": [{"context": "b", "qas": [
        {"id": "1", "question": "What?", "is_impossible": False, "answers": [{"text": "b", "answer_start": 0}]}]}]}],
}  # fmt: skip
CHOICE = [{"question": f"Which {n}?", "options": {"A": "one", "B": "two"}, "answer_idx": "B"} for n in range(4)]
ALPACA = [{"instruction": "Say.", "input": f"What is {n}?", "output": f"It is {n}."} for n in range(4)]
MARKED = [{"text": f"### Instruction: What is {n}? ### Response: It is {n}."} for n in range(4)]
MMLU = "".join(f"Question {n}?,one,two,three,four,{'ABCD'[n]}\n" for n in range(4))
PEFT = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"], "init_lora_weights": True}
MODEL = {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "architectures": ["LlamaForCausalLM"]}
INDEX = {"weight_map": {"a": "a.safetensors"}}
VOTE = {
    "id": "0" * 32,
    "time": "2026-11-20T10:00:00Z",
    "left": "base",
    "choice": "tie",
    "base_sha256": "0" * 64,
    "fine_tuned_sha256": "1" * 64,
    "temperature": 0,
    "precision": "int8",
    "question_id": "q1",
}
TRAINING = {
    "schema_version": 1,
    "written_at": "2026-11-27T10:00:00Z",
    "written_by": "training",
    "code_version": "0.3.0",
    "run_sha256": "0" * 64,
    "weights": {"adapter/adapter_config.json": "1" * 64},
    "last_row": {"split": "train", "step": 3, "loss": 1.5},
    "best": {"step": 3, "validation_loss": 1.5},
    "changed": True,
}
INT8 = {"schema_version": 1, "n": 3, "loss": 0.1}
RETRIEVAL = {"schema_version": 1, "questions": 10, "passages": 5, "method": "bm25", "known_item": []}
JUDGE = {"schema_version": 1, "model": "m", "where": "folder", "prompt_sha256": "0", "questions": 3, "of": 3} | {
    "requests": 6, "unusable": 0, "seconds": 1.0, "preference": {"base": 0.4, "fine_tuned": 0.6}
}  # fmt: skip
JOB = {"evaluate": True, "submitted_at": "2026-11-20T10:00:00Z"}


def of_run(run: Run) -> list[Target]:
    """The files of a whole run, each read in a copy of its folder."""
    found = [
        ("run.json", mutate.of_json, lambda folder: (listed(folder), opened(folder))),
        (
            "status.json",
            mutate.of_json,
            lambda folder: (listed(folder), opened(folder).state()),
        ),
        ("evaluation.json", mutate.of_json, lambda folder: opened(folder).evaluation()),
        ("metrics.jsonl", mutate.of_json_lines, lambda folder: opened(folder).metrics_log()),
        ("predictions.parquet", mutate.of_bytes, lambda folder: opened(folder).predictions()),
    ]
    return [Target(name, (run.folder / name).read_bytes(), mutation, read) for name, mutation, read in found]


def _differences(folder: Path) -> object:
    (folder / "run.json").touch()
    record = read_training_record(folder).value
    return record and differences(folder, record)


def alone() -> list[Target]:
    """Files that are read by themselves."""
    step = "checkpoints/step-00000001/manifest.json"
    return [
        Target("trainer_state.json", _json(trainer_state()), mutate.of_json, imported),
        Target("results.json", _json(LM_EVAL), mutate.of_json, lambda f: imported(f / "results.json")),
        Target("curve.csv", b"step,loss\n1,2.5\n2,2.25\n", mutate.of_bytes, lambda f: imported(f / "curve.csv")),
        Target("summary.txt", SUMMARY.encode(), mutate.of_bytes, lambda f: imported(f / "summary.txt")),
        Target("1_Made_QA/1.xml", GOUT.encode(), mutate.of_bytes, medquad.load),
        Target("d.csv", CSV.encode(), mutate.of_bytes, lambda f: pairs(f / "d.csv")),
        Target("d.tsv", CSV.replace(",", "\t").encode(), mutate.of_bytes, lambda f: pairs(f / "d.tsv")),
        Target("d.json", _json(ROWS), mutate.of_json, lambda f: pairs(f / "d.json")),
        Target("d.jsonl", b"\n".join(map(_json, ROWS)), mutate.of_json_lines, lambda f: pairs(f / "d.jsonl")),
        Target("d.parquet", _parquet(), mutate.of_bytes, lambda f: pairs(f / "d.parquet")),
        Target("d.csv.gz", gzip.compress(CSV.encode()), mutate.of_bytes, lambda f: pairs(f / "d.csv.gz")),
        Target("d.xlsx", _workbook(), mutate.of_bytes, lambda f: pairs(f / "d.xlsx")),
        Target("d.arrow", _arrow(), mutate.of_bytes, lambda f: pairs(f / "d.arrow")),
        _rows("chat.json", CHAT),
        _rows("squad.json", SQUAD),
        _rows("choice.json", CHOICE),
        _rows("alpaca.json", ALPACA),
        _rows("text.json", MARKED),
        Target("m.csv", MMLU.encode(), mutate.of_bytes, lambda f: mmlu_data.read(f / "m.csv")),
        Target("votes.jsonl", _json(VOTE) + b"\n", mutate.of_json_lines, read_votes),
        Target("trials.csv", b"lr,loss\n1,2\n3,4\n", mutate.of_bytes, lambda f: _bare(f).trials()),
        Target("mmlu_results/results.json", _json(LM_EVAL), mutate.of_json, lambda f: _bare(f).mmlu()),
        Target("job.json", _json(JOB), mutate.of_json, lambda f: read_job(_bare(f).folder).value),
        Target("int8.json", _json(INT8), mutate.of_json, read_int8),
        Target("training.json", _json(TRAINING), mutate.of_json, _differences),
        Target("judge.json", _json(JUDGE), mutate.of_json, read_judge),
        Target("retrieval.json", _json(RETRIEVAL), mutate.of_json, read_retrieval),
        Target("manifest.json", _json({"schema_version": 1, "files": {"a": "0" * 64}}), mutate.of_json, check_manifest),
        Target(step, _json({"state.json": "0" * 64}), mutate.of_json, checkpoint.newest),
        Target("adapter_config.json", _json(PEFT), mutate.of_json, lambda f: check_adapter(f, "x")),
        Target("config.json", _json(MODEL), mutate.of_json, lambda f: folders.check(f, "x")),
        Target(folders.INDEX, _json(INDEX), mutate.of_json, lambda f: folders.weight_files(f, "x")),
    ]


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _parquet() -> bytes:
    sink = BytesIO()
    pd.DataFrame(ROWS).to_parquet(sink, index=False)
    return sink.getvalue()


def _rows(name: str, rows: object) -> Target:
    return Target(name, _json(rows), mutate.of_json, lambda folder: pairs(folder / name))


def _arrow() -> bytes:
    table = pa.Table.from_pylist(ROWS)
    sink = BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _workbook() -> bytes:
    sink = BytesIO()
    pd.DataFrame(ROWS).to_excel(sink, index=False)
    return sink.getvalue()


def _bare(folder: Path) -> Run:
    """A run without its run.json, which these readers do not need."""
    nothing: Any = None
    return Run(folder, nothing)
