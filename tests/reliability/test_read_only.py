"""A disk that takes nothing: everything can be read, and who wants to start something is told why not.

A file where the store should be: `tests/jobs/test_queue.py`.
"""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.jobs.queue import submit
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from tests.reliability.servers import command

pytestmark = pytest.mark.reliability
READ_ONLY = """
set -e
for folder in "$MEDQA_REPORTS" "$CHECKOUT"; do
  mount --bind "$folder" "$folder"
  mount -o remount,ro,bind "$folder"
done
"$@"
"""
TRIES = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/tmp"]
ON_READ_ONLY = ["unshare", "-m", "bash", "-c", READ_ONLY, "bash"]
DRAWS = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from streamlit.testing.v1 import AppTest
for name in ("summary", "loss_curves", "metrics", "answers", "data", "compare", "runs", "ask", "fine_tune"):
    app = AppTest.from_file(Path(sys.argv[1]) / "pages" / "main.py", default_timeout=120)
    app.query_params["run"] = "trained"
    app.switch_page(f"{name}/{name}.py").run()
    assert not app.exception and not app.error, (name, app.exception, app.error)
next(button for button in app.button if button.label == "Start fine-tune").click().run()
assert not app.exception and not app.error
print(" ".join(str(element.value) for element in app.get("html")))
print("ALL DRAWN")
"""


@pytest.fixture
def place(lab: Settings, tmp_path: Path) -> Settings:
    return replace(lab, reports=tmp_path / "reports")


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(TRIES, capture_output=True, check=False).returncode != 0,
    reason="this user may not mount; a file where the store should be: tests/jobs/test_queue.py",
)
def test_a_disk_that_takes_nothing(place: Settings, smoke: Run) -> None:
    """Store and checkout on a read-only mount, with a run that waits: all is read, and a submit says why not."""
    shutil.copytree(smoke.folder, place.reports / "trained")
    waiting = submit(from_preset("smoke"), place, run_id="waiting", evaluate=False).run
    before = (waiting.folder / "status.json").read_bytes()
    listed = command(place, "runs", "--json", prefix=ON_READ_ONLY)
    assert listed.returncode == 0, listed.stderr
    assert {entry["id"]: entry["state"] for entry in json.loads(listed.stdout)} == {
        "trained": "completed", "waiting": "queued"
    }  # fmt: skip
    words = ("train", "--preset", "smoke", "--background")
    refused = command(place, *words, prefix=ON_READ_ONLY)
    assert refused.returncode != 0
    assert re.fullmatch(r"error: The run store \S+ cannot be written: Read-only file system\.\n", refused.stderr)
    drawn = command(place, prefix=[*ON_READ_ONLY, sys.executable, "-c", DRAWS, str(PACKAGE_ROOT)])
    assert drawn.returncode == 0, drawn.stderr
    assert "ALL DRAWN" in drawn.stdout
    assert "Not started." in drawn.stdout and "cannot be written" in drawn.stdout
    assert (waiting.folder / "status.json").read_bytes() == before
