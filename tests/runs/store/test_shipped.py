"""The runs that an installation brings: each is given once, whole or not at all."""

import os
import shutil
from pathlib import Path

import pytest

from medqa_core.foundation import settings as module
from medqa_core.foundation.settings import Settings, default_store, is_installed, site_folder
from medqa_core.runs.store import shipped


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two shipped runs, one with a folder in it, whose files may only be read."""
    for run in ("one", "two"):
        (tmp_path / "shipped" / run / "adapter").mkdir(parents=True)
        for name in ("run.json", "adapter/weights"):
            path = tmp_path / "shipped" / run / name
            path.write_text(run)
            path.chmod(0o444)
    return tmp_path / "shipped"


def names(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir() if not path.name.startswith("."))


def test_a_new_store_gets_them_all(source: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shipped.unpack_into(store, source)
    assert names(store) == ["one", "two"]
    assert (store / "two" / "adapter" / "weights").read_text() == "two"
    assert os.access(store / "two" / "run.json", os.W_OK) and (store / "two" / "run.json").stat().st_mode & 0o200
    assert not list(store.glob(".*.tmp"))


def test_a_deleted_one_does_not_come_back_and_a_new_one_comes(source: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shipped.unpack_into(store, source)
    shutil.rmtree(store / "one")
    (source / "three").mkdir()
    (source / "three" / "run.json").write_text("three")
    shipped.unpack_into(store, source)
    assert names(store) == ["three", "two"]


def test_the_users_own_run_of_that_name_stays(source: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "one").mkdir(parents=True)
    (store / "one" / "run.json").write_text("mine")
    shipped.unpack_into(store, source)
    assert (store / "one" / "run.json").read_text() == "mine" and names(store) == ["one", "two"]


def test_one_that_cannot_be_copied_whole_is_absent(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copyfile

    def full(source: Path, target: Path) -> object:
        if source.name == "weights" and "two" in source.parts:
            raise OSError(28, "No space left on device")
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    store = tmp_path / "store"
    with pytest.raises(OSError, match="No space left"):
        shipped.unpack_into(store, source)
    assert names(store) == ["one"] and not list(store.glob(".*.tmp"))
    monkeypatch.setattr(shutil, "copyfile", copy)
    shipped.unpack_into(store, source)
    assert names(store) == ["one", "two"]


def test_a_damaged_list_of_what_was_given_is_made_anew(source: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / shipped.UNPACKED).write_text("{")
    shipped.unpack_into(store, source)
    shipped.unpack_into(store, source)
    assert names(store) == ["one", "two"]


def test_a_checkout_and_a_named_store_are_left_alone(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEDQA_REPORTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert not is_installed()
    site = tmp_path / "site"
    site.mkdir()
    source.rename(site / "reports")
    monkeypatch.setattr(module, "PACKAGED_SITE", site)
    assert is_installed() and site_folder() == site
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "mine"))
    shipped.unpack(Settings.from_environment())
    assert not (tmp_path / "mine").exists()
    monkeypatch.delenv("MEDQA_REPORTS")
    shipped.unpack(Settings.from_environment())
    assert names(default_store()) == ["one", "two"]


def test_a_store_that_cannot_be_written_is_no_error_here(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").write_text("a file where the folder would be")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("MEDQA_REPORTS", raising=False)
    (tmp_path / "site").mkdir()
    source.rename(tmp_path / "site" / "reports")
    monkeypatch.setattr(module, "PACKAGED_SITE", tmp_path / "site")
    shipped.unpack(Settings.from_environment())
