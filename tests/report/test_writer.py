"""What is left of a write-up for which the disk has no room: a manifest that is right, or none."""

import os
from pathlib import Path

import pytest

from medqa_core.report import writer
from medqa_core.runs.artifacts.manifest import MANIFEST, check_manifest, write_manifest
from tests.support.runs import RunBuilder


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("older", "left"), [(False, []), (True, ["manifest.json is missing."])])
def test_a_manifest_never_calls_a_half_written_report_damage(
    build: RunBuilder, monkeypatch: pytest.MonkeyPatch, older: bool, left: list[str]
) -> None:
    run = build.run()
    writer.write(run)
    if older:
        (run.folder / "summary.txt").write_text("As an older version wrote it.")
        Path(run.folder / MANIFEST).unlink()
        write_manifest(run.folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            writer.write(run)
    assert check_manifest(run.folder) == left
    writer.write(run)
    assert check_manifest(run.folder) == []
