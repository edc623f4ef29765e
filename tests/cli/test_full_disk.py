"""A command that meets a full disk says so in a sentence."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import Said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "The disk is full. Free some space"),
        (errno.EIO, "The disk reported an error: Input/output error"),
    ],
)
def test_report_on_a_bad_disk(
    cli: Callable[..., Said], folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        result = cli("report", folder.name)
    assert result.code == 1
    assert result.error.startswith(said)
