"""Two imported evaluations, judged item by item from lm-evaluation-harness's samples. All items are made up."""

import json
from pathlib import Path

import pandas as pd
import pytest

from medqa_core.evaluation.paired_items import paired_tasks
from medqa_core.runs.artifacts.items import ITEMS, read_items
from medqa_core.runs.importers import import_path
from medqa_core.runs.importers.lm_eval import NO_ITEMS
from medqa_core.runs.importers.samples import OF_ANOTHER
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import lm_eval

TASK = "mmlu_medical_genetics"


def brought(store: RunStore, folder: Path, right: list[int], *more: str, task: str = TASK) -> Run:
    """An imported evaluation whose samples say which of its items were answered right."""
    folder.mkdir(parents=True)
    (folder / "results_2026-01-02T00-00-00.json").write_text(json.dumps(lm_eval(n=len(right))))
    lines = [
        json.dumps({"doc_id": n, "doc_hash": f"h{n}", "doc": {"question": "A made-up one?"}, "acc": float(value)})
        for n, value in enumerate(right)
    ]
    (folder / f"samples_{task}_2026-01-02T00-00-00.000000.jsonl").write_text("\n".join([*lines, *more]) + "\n")
    return import_path(folder, store)


def items(run: Run) -> pd.DataFrame:
    found = read_items(run.folder).value
    assert found is not None
    return found


def test_items_are_kept_without_their_texts(store: RunStore, tmp_path: Path) -> None:
    run = brought(store, tmp_path / "a", [1, 0, 1], "torn {", "[]", '{"acc": 2, "doc_id": 9}', '{"acc": 1}')
    assert items(run).values.tolist() == [[TASK, "h0", "acc", 1.0], [TASK, "h1", "acc", 0.0], [TASK, "h2", "acc", 1.0]]
    assert b"made-up" not in (run.folder / ITEMS).read_bytes()
    assert run.record.imported is not None
    assert NO_ITEMS not in run.record.imported.missing
    assert any(line.startswith("4 lines of samples_") for line in run.record.imported.missing)


def test_of_a_task_the_newest_file_counts_and_other_tasks_do_not(store: RunStore, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (folder / f"samples_{TASK}_2026-01-01T00-00-00.jsonl").write_text('{"doc_id": 1, "acc": 0.0}\n')
    (folder / "samples_other_2026-01-01T00-00-00.jsonl").write_text('{"doc_id": 1, "acc": 0.0}\n')
    (folder / f"samples_{TASK}_2026-01-03T00-00-00.jsonl").write_text('{"doc_id": 1, "acc": 1.0}\n')
    (folder / "results.json").write_text(json.dumps(lm_eval()))
    assert items(import_path(folder, store)).values.tolist() == [[TASK, "1", "acc", 1.0]]


def test_samples_of_another_evaluation_in_the_folder_are_not_read(store: RunStore, tmp_path: Path) -> None:
    days = {"01": 0.0, "03": 1.0}
    for day, value in days.items():
        (tmp_path / f"results_2026-01-{day}T00-00-00.123456.json").write_text(json.dumps(lm_eval()))
        (tmp_path / f"samples_{TASK}_2026-01-{day}T00-00-00.123456.jsonl").write_text(
            f'{{"doc_id": 1, "acc": {value}}}\n'
        )
    for day, value in days.items():
        run = import_path(tmp_path / f"results_2026-01-{day}T00-00-00.123456.json", store)
        assert items(run).values.tolist() == [[TASK, "1", "acc", value]]
    (tmp_path / "results_2026-01-02T00-00-00.123456.json").write_text(json.dumps(lm_eval()))
    without = import_path(tmp_path / "results_2026-01-02T00-00-00.123456.json", store)
    assert not (without.folder / ITEMS).exists()
    assert without.record.imported is not None
    assert {OF_ANOTHER, NO_ITEMS} <= set(without.record.imported.missing)


def test_two_imports_are_judged_pair_by_pair(store: RunStore, tmp_path: Path) -> None:
    first = brought(store, tmp_path / "a", [1] * 20 + [0] * 20)
    second = brought(store, tmp_path / "b", [1] * 18 + [0] * 2 + [1] * 16 + [0] * 4 + [1])
    [task] = paired_tasks(items(first), items(second))
    assert (task.n, task.of_first, task.of_second) == (40, 40, 41)
    assert [task.first, task.second, task.difference] == pytest.approx([0.5, 0.85, 0.35])
    # 16 items only the second got right, 2 only the first: 2 × P(X ≤ 2 | 18, ½) = 2 × 172 / 2^18
    assert task.p == pytest.approx(344 / 2**18)
    assert task.verdict == "better" and task.interval[0] > 0
    [back] = paired_tasks(items(second), items(first))
    assert back.verdict == "worse" and back.difference == pytest.approx(-0.35)


def test_few_items_and_many_tasks_are_inconclusive(store: RunStore) -> None:
    def rows(values: list[int], task: str = "t") -> pd.DataFrame:
        named = {"task": task, "item": [f"i{n}" for n in range(len(values))], "metric": "acc"}
        return pd.DataFrame({**named, "value": [float(value) for value in values]})

    [few] = paired_tasks(rows([0] * 9), rows([1] * 9))
    assert few.p == pytest.approx(2 / 2**9) and few.verdict == "cannot tell"
    one, other = rows([0] * 10 + [1] * 2), rows([1] * 8 + [0] * 3 + [1])
    [alone] = paired_tasks(one, other)
    same = [rows([1] * 12, f"s{n}") for n in range(30)]
    [judged, *_] = paired_tasks(pd.concat([one, *same]), pd.concat([other, *same]))
    assert judged.p > alone.p or alone.p == 1.0
    half = rows([1] * 12)
    half.loc[0, "value"] = 0.5
    assert paired_tasks(half, rows([1] * 12))[0].n == 11
    assert paired_tasks(rows([1], "a"), rows([1], "b")) == []


def test_a_damaged_file_is_no_items(store: RunStore, tmp_path: Path) -> None:
    run = brought(store, tmp_path / "a", [1, 0])
    (run.folder / ITEMS).write_bytes(b"PAR1 not really")
    found = read_items(run.folder)
    assert found.value is None and found.problems
