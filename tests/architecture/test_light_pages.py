"""Opening the app and each page of it imports no torch, no transformers and no gradio."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "peft", "gradio", "datasets", "gguf")
OPEN_PAGES = """
import json, sys
from tests.support.pages import visit
faults = {}
for page in sys.argv[1:]:
    app = visit(page, seconds=60, run="starter")  # its data are read at once
    faults[page] = [e.message for e in app.exception]
heavy = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps({"faults": faults, "modules": heavy}))
"""
IMPORT_APP = """
import json, sys
import app
print(json.dumps({"faults": {}, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""
PAGES = tuple(
    f"{name}/{name}.py"
    for name in ("summary", "loss_curves", "metrics", "answers", "data", "compare", "runs", "ask", "fine_tune")
)


def run(code: str, *arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MEDQA_REPORTS": str(ROOT / "reports")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


@pytest.mark.parametrize("what", ["app", "pages"])
def test_nothing_heavy_is_imported(what: str) -> None:
    """On the shipped runs, all pages in one process: what one of them imports stays in `sys.modules`."""
    found = run(IMPORT_APP) if what == "app" else run(OPEN_PAGES, *PAGES)
    assert not any(found["faults"].values()), found["faults"]  # type: ignore[attr-defined]
    late = ("pandas", "scipy") if what == "app" else ()  # the server listens before these come
    assert not {*HEAVY, *late} & set(found["modules"])  # type: ignore[call-overload]


def test_every_page_is_opened_here() -> None:
    shell = (ROOT / "pages" / "main.py").read_text(encoding="utf-8")
    assert set(re.findall(r'st\.Page\("([^"]+)"', shell)) == set(PAGES)
