"""Shared by the tests of models: settings with a cache of their own, a toy to copy from, a clean subprocess."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from tests.support.models import RunPython, settings_for


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path / "cache")


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy made once for the session; copy it before changing it."""
    from medqa_core.models import toy

    return toy.ensure(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def run_python(tmp_path: Path) -> RunPython:
    """Run code in a fresh interpreter where any warning is an error, with a hub cache of its own."""

    def run(code: str, *arguments: object, **extra: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MEDQA_"))}
        environment = {
            **kept,
            "PYTHONPATH": str(PACKAGE_ROOT),
            "HF_HOME": str(tmp_path / "hf-home"),
            "MEDQA_CACHE": str(tmp_path / "cache"),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **extra,
        }
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            check=False,
        )

    return run
