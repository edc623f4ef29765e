"""Shared by the tests of boundaries: a model and a run to spoil, and pickles that leave a mark when opened."""

import ast
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore


class Mark:
    """Unpickling it makes a folder: what a pickle of a stranger could do."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (self.path,)


@pytest.fixture
def toy_copy(lab: Settings, tmp_path: Path) -> Path:
    """A small model folder, to be changed."""
    from medqa_core.models import toy

    return Path(shutil.copytree(toy.ensure(lab.cache), tmp_path / "model"))


@pytest.fixture
def run_copy(smoke: Run, tmp_path: Path) -> Run:
    """The smoke run in a store of its own, to be changed."""
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke")
    return RunStore(tmp_path / "reports").open("smoke")


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """The folder that an opened pickle leaves."""
    return tmp_path / "opened"


@pytest.fixture
def plant(mark: Path) -> Callable[[Path], None]:
    """Write a pickle that leaves the mark."""

    def go(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(Mark(mark)))

    return go


def calls(*folders: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every call in the program: where, what by its written name, and its keywords where they are literals."""
    for folder in folders:
        for path in sorted((PACKAGE_ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    keywords = {
                        k.arg: k.value.value for k in node.keywords if k.arg and isinstance(k.value, ast.Constant)
                    }
                    yield f"{path.name}:{node.lineno}", ast.unparse(node.func), keywords
