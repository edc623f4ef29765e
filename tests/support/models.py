"""Settings and types that tests of models share."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from medqa_core.foundation.settings import Settings
from medqa_core.models.openvino_ir import NotConvertible

RunPython = Callable[..., subprocess.CompletedProcess[str]]
"""What the fixture `run_python` is: code and its arguments, run in a fresh interpreter."""


def settings_for(cache: Path) -> Settings:
    """Settings whose cache, and run store in it, is this folder."""
    return Settings(reports=cache / "reports", cache=cache, medquad=None, mmlu=None, public=False)


def not_convertible(*_: object) -> Path:
    """In place of `openvino_ir.ensure`: a model that OpenVINO does not run."""
    raise NotConvertible("toy cannot be converted: as a test wants it")
