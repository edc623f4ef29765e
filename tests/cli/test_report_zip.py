"""`report RUN --zip FILE`: the whole run in one file."""

import shutil
import zipfile
from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from tests.support.commands import Command

STARTER = Path(__file__).parents[2] / "reports" / "starter"


@pytest.fixture
def reports(in_lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "reports"
    shutil.copytree(STARTER, folder / "starter")
    monkeypatch.setenv("MEDQA_REPORTS", str(folder))
    return folder


def test_it_packs_the_run_after_writing_it_up(cli: Command, reports: Path, tmp_path: Path) -> None:
    target = tmp_path / "starter.zip"
    said = cli("report", "starter", "--zip", str(target), "--json")
    assert said.code == 0
    assert said.json["zip"] == str(target)
    with zipfile.ZipFile(target) as packed:
        assert packed.namelist() == [f"starter/{name}" for name in said.json["packed"]]
        assert packed.read("starter/summary.md") == (reports / "starter" / "summary.md").read_bytes()
    assert {"adapter/adapter_model.safetensors", "manifest.json", "run.json"} <= set(said.json["packed"])
    first = target.read_bytes()
    assert cli("report", "starter", "--zip", str(target)).out.endswith(f"{target}\n")
    assert target.read_bytes() == first


def test_a_zip_inside_the_run_or_nowhere_is_refused_in_one_line(cli: Command, reports: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for bad in (reports / "starter" / "me.zip", tmp_path / "file" / "a.zip"):
        said = cli("report", "starter", "--zip", str(bad))
        assert said.code == 2
        assert said.error.startswith("--zip:")
        assert not (bad.parent.is_dir() and bad.exists())
