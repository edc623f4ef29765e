"""`import medqa_core` in a notebook: runs as DataFrames and figures, and the snippets that the documents show."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import medqa_core
from medqa_core.foundation.errors import RunError, RunNotFound
from medqa_core.report.charts.palette import DARK, LIGHT

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"
HEAVY = ("pandas", "plotly", "torch", "streamlit")


def snippets(name: str) -> list[str]:
    """The Python blocks of a document that use the library."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if "import medqa_core" in block]


@pytest.mark.parametrize("snippet", [*snippets("docs/library.md"), *snippets("README.md")])
def test_the_snippets_of_the_documents_run(snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", str(REPORTS))
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "snippet", "exec"), {})
    assert [path.stat().st_size > 0 for path in tmp_path.iterdir()] == [True]


def test_the_document_has_a_snippet() -> None:
    assert len(snippets("docs/library.md")) == 1


def test_the_import_is_light() -> None:
    code = f"import sys, medqa_core; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_what_is_not_there_is_no_attribute() -> None:
    assert {"open_run", "list_runs"} <= set(dir(medqa_core))
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = medqa_core.nothing_like_it


def test_the_runs_of_a_store() -> None:
    frame = medqa_core.list_runs(REPORTS)
    assert {"starter", "run-2", "smollm2-medquad"} <= set(frame["id"])
    assert frame["created_at"].is_monotonic_decreasing


def test_a_run_as_frames() -> None:
    run = medqa_core.open_run("starter", REPORTS)
    curve, metrics, answers = run.curve(), run.metrics(), run.predictions()
    assert set(curve["split"]) == {"train", "validation"} and curve["step"].dtype == "int64"
    assert {"epoch", "loss", "learning_rate"} <= set(curve.columns) and "run" not in curve.columns
    loss = metrics.loc["loss"]
    assert loss["difference"] == pytest.approx(loss["fine_tuned"] - loss["base"])
    assert loss["ci_low"] < loss["difference"] < loss["ci_high"] and loss["n"] > 0
    assert set(metrics["verdict"]) <= {"better", "worse", "equivalent", "cannot tell"}
    assert len(answers) == loss["n"] and answers["question_id"].is_unique
    assert run.problems == () and "starter" in repr(run) and run.verdict()


def test_the_controls_as_a_frame() -> None:
    controls = medqa_core.open_run("starter", REPORTS).controls()
    assert set(controls["control"]) == {"template_answer", "nearest_answer", "top_passage"}
    tuned = controls[(controls["control"] == "template_answer") & (controls["model"] == "fine_tuned")]
    assert {"rougeL", "content_f1"} <= set(tuned["metric"])
    assert (tuned["difference"] - (tuned["fine_tuned"] - tuned["base"])).abs().max() < 1e-9
    assert medqa_core.open_run("run-2", REPORTS).controls().empty


def test_its_figures() -> None:
    run = medqa_core.open_run("starter", REPORTS)
    found = run.figures()
    assert {"loss", "metrics", "gains"} <= set(found)
    assert all(len(chart.data) for chart in found.values())
    assert found["loss"].layout.paper_bgcolor == LIGHT.paper
    assert run.loss_figure(axis="epoch", dark=True).layout.paper_bgcolor == DARK.paper


def test_what_a_run_lacks_is_empty_or_said() -> None:
    run = medqa_core.open_run("run-2", REPORTS)
    assert run.curve().empty and run.predictions().empty
    assert "loss" in run.curve().columns and "question_id" in run.predictions().columns
    assert "loss" not in run.figures()
    with pytest.raises(RunError, match=r"^Run run-2 has no loss curve to draw\.$"):
        run.loss_figure()
    with pytest.raises(RunNotFound):
        medqa_core.open_run("nowhere", REPORTS)
