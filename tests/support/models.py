"""Settings and types that tests of models share."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from medqa_core.foundation.settings import Settings

RunPython = Callable[..., subprocess.CompletedProcess[str]]
"""What the fixture `run_python` is: code and its arguments, run in a fresh interpreter."""


def settings_for(cache: Path) -> Settings:
    """Settings whose cache, and run store in it, is this folder."""
    return Settings(reports=cache / "reports", cache=cache, medquad=None, mmlu=None, public=False)
