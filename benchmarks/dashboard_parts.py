"""Our side of `dashboard.py`: the stores that it measures, and what each process of its own does with them.

python benchmarks/dashboard_parts.py list | points | chart | pages  FOLDER
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TOGETHER = 20
"""Runs that are compared at once."""
PATIENCE = 900
LIVE = 12
"""Rows that are logged one by one while the chart is followed."""


def build_store(folder: Path, runs: int) -> None:
    """`runs` folders after the shipped starter run; the newest `TOGETHER` with its curve, evaluation and answers."""
    source = ROOT / "reports" / "starter"
    record, status = json.loads((source / "run.json").read_text()), (source / "status.json").read_bytes()
    for number in range(runs):
        place = folder / f"run-{number:06d}"
        place.mkdir(parents=True)
        minute = f"{number // 1440 % 28 + 1:02d}T{number // 60 % 24:02d}:{number % 60:02d}"
        changed = {"id": place.name, "number": number, "title": f"Run {number}", "created_at": f"2026-05-{minute}:00Z"}
        (place / "run.json").write_text(json.dumps(record | changed, indent=2))
        (place / "status.json").write_bytes(status)
        if number >= runs - TOGETHER:
            for name in ("metrics.jsonl", "evaluation.json", "predictions.parquet"):
                shutil.copyfile(source / name, place / name)


def build_curve(folder: Path, points: int) -> dict[str, np.ndarray]:
    """A run's metrics.jsonl as its worker writes it; its columns."""
    from medqa_core.runs.metrics_log.log import encode_row

    rng, steps = np.random.default_rng(0), np.arange(1, points + 1)
    columns = {
        "step": steps,
        "epoch": np.round(steps / 1000, 4),
        "attempt": np.ones(points, dtype=int),
        "time": np.round(steps * 0.05, 2),
        "tokens": steps * 500,
        "examples": steps * 4,
        "loss": 1.7 + np.exp(-5 * steps / points) + rng.normal(0, 0.1, points),
        "learning_rate": 1e-3 * steps / points,
        "grad_norm": 1 + rng.random(points),
    }
    folder.mkdir(parents=True)
    with open(folder / "metrics.jsonl", "w") as file:
        for row in zip(*(values.tolist() for values in columns.values()), strict=True):
            file.write(encode_row("train", **dict(zip(columns, row, strict=True))))
    return columns


def list_runs(folder: Path) -> dict[str, float]:
    """The list of a store."""
    from medqa_core.runs.store.run_store import RunStore

    store = RunStore(folder)
    return {"seconds": timed(store.list), "again": median(timed(store.list) for _ in range(7))}


def points(folder: Path) -> dict[str, float]:
    """The points that a chart of a run's loss shows, as JSON: what the rivals' readers give."""
    from medqa_core.report.charts.lines import line, thin
    from medqa_core.runs.metrics_log.log import read_metrics_log

    shown = thin(line(read_metrics_log(folder).train, "loss"))
    print(len(json.dumps([shown.step.tolist(), shown.y.tolist()])), flush=True)
    return {"points": float(len(shown))}


def chart(folder: Path) -> dict[str, float]:
    """The finished figure of a run's loss as JSON, then again after each new row, as a live page does it."""
    from medqa_core.report.charts.loss import loss_figure
    from medqa_core.report.charts.run_curve import RunCurve
    from medqa_core.runs.metrics_log.log import MetricsLogWriter, read_metrics_log

    shown = ""

    def draw() -> None:
        nonlocal shown
        shown = loss_figure([RunCurve("run", read_metrics_log(folder))]).to_json()

    read, first = timed(lambda: read_metrics_log(folder)), timed(draw)
    print(len(shown), flush=True)
    last, live, writer = int(read_metrics_log(folder).train["step"][-1]), [], MetricsLogWriter(folder / "metrics.jsonl")
    for step in range(last + 1, last + 1 + LIVE):
        writer.append("train", step=step, epoch=step / 1000, loss=1.7)
        live.append(timed(draw))
    writer.close()
    return {"read": read, "draw": first, "live": median(live[1:]), "bytes": float(len(shown.encode()))}


def pages(folder: Path) -> dict[str, float]:
    """Script runs of pages over the store, the second ones: Summary, and Compare runs with twenty of them."""
    from streamlit.testing.v1 import AppTest

    newest = sorted(entry.name for entry in folder.iterdir())[-TOGETHER:]
    found = {}
    for name, page, address in (
        ("summary", "summary/summary.py", {"run": newest[0]}),
        ("compare", "compare/compare.py", {"run": newest[0], "runs": newest[1:]}),
    ):
        app = AppTest.from_file(ROOT / "pages" / "main.py", default_timeout=PATIENCE)
        for key, value in address.items():
            app.query_params[key] = value
        app.switch_page(page).run()
        found[name] = timed(app.run)
        assert not app.exception, app.exception[0].message
    assert len(app.multiselect(key="runs").value) == TOGETHER - 1
    return found


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "list": list_runs,
    "points": points,
    "chart": chart,
    "pages": pages,
}

if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]](Path(sys.argv[2]))))
