"""Any task of lm-evaluation-harness: by its own name, with adapter, template and examples. All values are made up."""

import json
from pathlib import Path
from typing import Any

import pytest

from medqa_core.report import comparison
from medqa_core.report.document.tables import tasks
from medqa_core.report.facts import Facts
from medqa_core.runs.artifacts.mmlu import subset_of
from medqa_core.runs.importers import import_path
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import lm_eval


def imported(store: RunStore, folder: Path, value: Any, name: str = "results.json") -> Run:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return import_path(path, store)


def said(run: Run) -> ImportRecord:
    assert run.record.imported is not None
    return run.record.imported


@pytest.mark.parametrize(
    ("task", "subset"),
    [
        ("mmlu_anatomy", "anatomy"),
        ("mmlu_anatomy_continuation", "anatomy"),
        ("hendrycksTest-college_medicine", "college_medicine"),
        ("harness|hendrycksTest-anatomy|5", "anatomy"),
        ("lighteval|mmlu:medical_genetics|5|0", "medical_genetics"),
        ("arabicmmlu_anatomy", None),
        ("global_mmlu_full_fr_anatomy", None),
        ("mmlu_pro_anatomy", None),
        ("mmlu_anatomy_fr", None),
        ("anatomy", None),
        ("mmlu", None),
    ],
)
def test_names_are_matched_exactly(task: str, subset: str | None) -> None:
    assert subset_of(task) == subset


def test_an_exam_of_another_language_is_no_mmlu(store: RunStore, tmp_path: Path) -> None:
    value = {
        "results": {"kmmlu_anatomy": {"acc,none": 0.7, "acc_stderr,none": 0.03}, "kmmlu_law": {"acc,none": 0.5}},
        "n-samples": {"kmmlu_anatomy": {"original": 90, "effective": 90}},
    }
    run = imported(store, tmp_path, value)
    assert run.mmlu() is None and run.evaluation() is None
    assert [(s.task, s.metric, s.value, s.stderr, s.n) for s in said(run).tasks] == [
        ("kmmlu_anatomy", "acc", 0.7, 0.03, 90),
        ("kmmlu_law", "acc", 0.5, None, None),
    ]
    assert run.record.title == "kmmlu_anatomy and kmmlu_law of results.json"
    assert not any(name.startswith("mmlu_") for name in said(run).figures)


def test_the_field_s_usual_exams_are_a_table_with_their_errors(store: RunStore, tmp_path: Path) -> None:
    value = lm_eval() | {
        "results": {
            "medqa_4options": {"alias": "medqa", "acc,none": 0.44, "acc_norm,none": 0.45, "acc_stderr,none": 0.014},
            "gsm8k": {"exact_match,flexible-extract": 0.1, "exact_match_stderr,flexible-extract": "N/A"},
        },
        "n-shot": {"medqa_4options": 0, "gsm8k": 5},
        "n-samples": {"medqa_4options": {"effective": 1200}},
    }
    run = imported(store, tmp_path, value)
    table = tasks(Facts.of(run))
    assert table is not None
    assert table.texts == (
        ("medqa_4options", "acc", "0.4400", "± 0.0140", "1,200", "0"),
        ("medqa_4options", "acc_norm", "0.4500", "not stated", "1,200", "0"),
        ("gsm8k", "exact_match (flexible-extract)", "0.1000", "not stated", "not stated", "5"),
    )


def test_an_adapter_is_named_beside_its_base(store: RunStore, tmp_path: Path) -> None:
    value = lm_eval()
    del value["model_name"]
    value["config"]["model_args"] = "pretrained=someone/small,dtype=bfloat16,peft=runs/rank-8"
    run = imported(store, tmp_path, value)
    assert run.record.title == "MMLU of someone/small with adapter runs/rank-8"
    assert run.record.base_model is not None and run.record.base_model.id == "someone/small"
    assert said(run).figures["adapter"] == "runs/rank-8"
    value["config"]["model_args"] = {"pretrained": "someone/small", "peft": "/home/ann/adapters/rank-16"}
    assert said(imported(store, tmp_path / "b", value)).figures["adapter"] == "rank-16"


def test_template_and_examples_are_kept_and_a_mismatch_is_said(store: RunStore, tmp_path: Path) -> None:
    first = lm_eval() | {"chat_template_sha": "abc123", "fewshot_as_multiturn": True}
    second = lm_eval() | {"chat_template_sha": None, "n-shot": {"mmlu_medical_genetics": 0}}
    runs = [imported(store, tmp_path / name, value) for name, value in (("a", first), ("b", second))]
    figures = said(runs[0]).figures
    assert (figures["chat_template"], figures["chat_template_sha"], figures["fewshot_as_multiturn"]) == (
        "applied", "abc123", "yes",
    )  # fmt: skip
    assert said(runs[1]).figures["chat_template"] == "none"
    told = comparison.asked_differently([Facts.of(run) for run in runs])
    assert "were not asked alike" in told and "chat template (" in told and ": applied" in told
    assert "examples in the prompt (" in told and ": 5" in told and ": 0" in told
    assert comparison.asked_differently([Facts.of(runs[0])] * 2) == ""


def test_the_folders_of_a_leaderboard(store: RunStore, tmp_path: Path) -> None:
    imported(store, tmp_path / "board", lm_eval(), "someone/small/results_2026-01-01T00-00-00.json")
    run = import_path(tmp_path / "board", store)
    assert said(run).source == "results_2026-01-01T00-00-00.json"


def test_what_the_file_states_beside_is_named_once(store: RunStore, tmp_path: Path) -> None:
    beside = {"groups": {}, "configs": {"a": 1}, "versions": {"a": 1.0}, "git_hash": "f00", "upper_git_hash": None}
    value = lm_eval() | beside
    value["config"] |= {"batch_size": 8, "gen_kwargs": None}
    run = imported(store, tmp_path, value)
    named = "configs, versions, git_hash, config.model and config.batch_size."
    assert said(run).notes == [f"Kept in mmlu_results/results.json, not shown: {named}"]
    other = value | {"results": {"medqa_4options": {"acc,none": 0.44}}}
    assert said(imported(store, tmp_path / "other", other)).notes == [f"Not kept: {named}"]
    many = value | {f"key {n} {'x' * 90}": n for n in range(500)}
    [note] = said(imported(store, tmp_path / "many", many)).notes
    assert note.endswith("481 more.") and len(note) < 2000
