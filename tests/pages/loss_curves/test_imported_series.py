"""Loss curves of an imported run: several evaluation sets, other kinds of training, and what else was logged."""

import json
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from medqa_core.runs.importers import import_path
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import lm_eval
from tests.support.pages import Open, elements, headings
from tests.support.pages import shown as html

PAGE = "loss_curves/loss_curves.py"


def imported(reports: Path, rows: list[dict[str, Any]]) -> str:
    folder = reports.parent / "out"
    folder.mkdir()
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 40, "max_steps": 40, "log_history": rows}))
    return import_path(folder, RunStore(reports)).id


def charts(app: AppTest) -> int:
    assert not app.exception, [e.message for e in app.exception]
    return len(elements(app, "plotly_chart"))


def test_two_sets_are_named(reports: Path, open_page: Open) -> None:
    rows: list[dict[str, Any]] = [{"step": 10 * n, "loss": 3.0 - n / 5} for n in range(1, 5)]
    rows += [{"step": 10 * n, f"eval_{name}_loss": 2.0 + n} for n in range(1, 5) for name in ("heart", "skin")]
    app = open_page(PAGE, run=imported(reports, rows))
    assert charts(app) == 1
    assert "validation loss on heart went from 3.0000 to 6.0000" in html(app)


def test_preference_training_draws_its_rewards(reports: Path, open_page: Open) -> None:
    rows = [{"step": 10 * n, "loss": 0.7 - n / 20, "rewards/margins": n / 5, "logps/chosen": -9.0} for n in range(1, 5)]
    app = open_page(PAGE, run=imported(reports, rows))
    assert charts(app) == 2 and "Preference training: its loss does not say" in html(app)
    assert "rewards/margins: 0.2 at step 10, 0.8 at step 40." in html(app)


def test_what_else_was_logged_is_drawn_on_request(reports: Path, open_page: Open) -> None:
    rows = [{"step": 10 * n, "loss": 2.0 / n, "entropy": 1.0 / n} for n in range(1, 5)]
    app = open_page(PAGE, run=imported(reports, rows))
    assert charts(app) == 1
    app.multiselect(key="series").select("entropy").run()
    assert charts(app) == 2


def test_tasks_and_the_same_questions(reports: Path, open_page: Open) -> None:
    store = RunStore(reports)
    for name, right, shots in (("a", 0.0, 0), ("b", 1.0, 5)):
        folder = reports.parent / name
        folder.mkdir()
        value = lm_eval() | {"n-shot": {"mmlu_medical_genetics": shots}}
        (folder / "results.json").write_text(json.dumps(value))
        lines = [json.dumps({"doc_id": n, "acc": right if n < 12 else 1.0}) for n in range(20)]
        (folder / "samples_mmlu_medical_genetics.jsonl").write_text("\n".join(lines))
        import_path(folder, store, run_id=name)
    app = open_page("metrics/metrics.py", run="a")
    assert not app.exception and "mmlu_medical_genetics" in html(app)
    app = open_page("compare/compare.py", run="a", runs="b", view="Which one is better?")
    assert not app.exception and "The same exam questions" in headings(app)
    assert "▲ better" in html(app) and "These exams were asked in different ways." in html(app)
