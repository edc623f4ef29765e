"""Whatever is started, how threads wait is set before torch is imported: OpenMP reads it once, when it is loaded."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medqa_core.foundation.threads import OTHERS, POLICY
from medqa_core.jobs import estimate
from medqa_core.runs.schema.presets import from_preset

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "peft", "accelerate", "openvino", "lm_eval", "gradio", "ray")
STANDS_IN = f"""
import os, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {HEAVY}:
            print("policy", [os.environ.get(name) for name in {tuple(POLICY)}], flush=True)
            os._exit(0)
sys.meta_path.insert(0, Finder())
"""
"""Run by a `sitecustomize`, before anything else: the first import of a library with OpenMP says what it would read,
and ends the process before a second of it is spent."""

ENTRIES = {
    "command": ["-m", "medqa_core", "doctor"],
    "estimate": estimate.command(from_preset("smoke"))[1:],
    "library": ["-c", "import medqa_core, torch"],
    "app": ["-c", "import app; app.build_widget()"],
    "widget": ["-m", "pages.ask.widget"],
    "node of a cluster": ["-c", "import medqa_core.cluster.nodes.driver"],
    "benchmark of training": ["benchmarks/training.py"],
    "benchmark of evaluation": ["benchmarks/evaluation.py"],
    "benchmark of answering": ["benchmarks/answering.py"],
    "benchmark of recipes": ["benchmarks/trials.py"],
}


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment in which nobody has said how threads wait."""
    (tmp_path / "sitecustomize.py").write_text(STANDS_IN, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name not in (*POLICY, *OTHERS)}
    own = {"MEDQA_REPORTS": str(tmp_path / "reports"), "MEDQA_CACHE": str(tmp_path / "cache")}  # a free device
    return {**kept, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", **own}


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_policy_is_set_before_torch_is_imported(entry: str, bare: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, *ENTRIES[entry]],
        cwd=ROOT, env=bare, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == [f"policy {list(POLICY.values())}"], done.stderr[-2000:]


def test_every_benchmark_that_imports_torch_is_started_here() -> None:
    """And one that imports it through our own modules has imported medqa_core, which sets the policy, first."""
    direct = {path.name for path in (ROOT / "benchmarks").glob("*.py") if _imports(path) & set(HEAVY)}
    assert direct <= {Path(words[-1]).name for words in ENTRIES.values()}


def test_the_tests_too() -> None:
    assert os.environ["OMP_WAIT_POLICY"]


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}
