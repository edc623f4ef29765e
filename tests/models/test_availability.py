"""What `doctor` is told about models: true, offline, and never an exception."""

import shutil
import socket
from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.models import hub, toy
from medqa_core.models.availability import model_availability
from tests.support.models import RunPython, settings_for


def test_nothing_is_there_yet(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("model_availability must not touch the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(hub, "cached_folder", lambda _: None)
    lines = {line.name: line for line in model_availability(settings)}
    assert {name: line.state for name, line in lines.items()} == {
        "smollm2-135m-instruct": "not fetched",
        "toy": "made when needed",
        "distilbert/distilgpt2": "not fetched",
    }
    assert "`medqa data fetch`" in (lines["smollm2-135m-instruct"].remedy or "")
    assert lines["toy"].remedy is None
    assert not settings.cache.exists()


def test_what_is_there_is_ready(toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(toy_folder, toy.folder_in(tmp_path))
    monkeypatch.setattr(hub, "cached_folder", lambda _: tmp_path)
    lines = {line.name: line for line in model_availability(settings_for(tmp_path))}
    assert lines["toy"].state == "ready"
    assert lines["distilbert/distilgpt2"].state == "ready"


def test_an_unreadable_hub_cache(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> Path:
        raise PermissionError("no")

    monkeypatch.setattr(hub, "cached_folder", broken)
    assert model_availability(settings)[2].state == "unknown"


def test_quick_and_light(run_python: RunPython) -> None:
    code = """
import sys, time
from medqa_core.foundation.settings import Settings
from medqa_core.models.availability import model_availability
start = time.monotonic()
print(*(line.state for line in model_availability(Settings.from_environment())), sep=", ")
assert time.monotonic() - start < 3
assert not {"torch", "transformers"} & set(sys.modules)
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "not fetched, made when needed, not fetched"
    assert done.stderr == ""
