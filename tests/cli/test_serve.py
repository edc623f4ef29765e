"""`serve` starts the site's own app, or the widget alone, whatever the current folder holds."""

import os
import sys
from pathlib import Path

import pytest

from medqa_core.cli import serve
from medqa_core.foundation.errors import ModelUnavailable
from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.models import embedded
from tests.support.commands import Command

Started = list[tuple[list[str], dict[str, str]]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """What the command became; the embedded model is there."""
    found: Started = []
    monkeypatch.setattr(serve, "_become", lambda command, environment: found.append((command, environment)))
    monkeypatch.setattr(embedded, "ensure", lambda cache, progress: cache)
    return found


def test_the_app(cli: Command, started: Started) -> None:
    assert cli("serve", "--port", "8600").code == 0
    ((command, environment),) = started
    assert command[:4] == [sys.executable, "-P", "-m", "streamlit"]
    assert command[4:6] == ["run", str(PACKAGE_ROOT / "app.py")]
    assert command[6:] == ["--server.port", "8600", "--server.address", "127.0.0.1"]
    assert environment["PYTHONPATH"].split(os.pathsep)[0] == str(PACKAGE_ROOT)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), ["--port", "7860", "--host", "127.0.0.1"]),
        (("--share", "--address", "0.0.0.0"), ["--port", "7860", "--host", "0.0.0.0", "--share"]),
    ],
)
def test_the_widget_alone(cli: Command, started: Started, words: tuple[str, ...], said: list[str]) -> None:
    assert cli("serve", "--widget", *words).code == 0
    assert started[0][0] == [sys.executable, "-P", "-m", "pages.ask.widget", *said]


def test_without_the_embedded_model_it_serves_all_the_same(
    cli: Command, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(cache: Path, progress: object) -> Path:
        raise ModelUnavailable("PyPI cannot be reached.")

    monkeypatch.setattr(embedded, "ensure", unavailable)
    said = cli("serve")
    assert (said.code, len(started)) == (0, 1)
    assert said.err == "The server starts without the embedded model: PyPI cannot be reached.\n"


def test_a_path_that_was_set_is_kept_behind_the_sites() -> None:
    inherited = {"PYTHONPATH": "/theirs", "LANG": "C"}
    assert serve.environment(inherited, Path("/site")) == {"PYTHONPATH": f"/site{os.pathsep}/theirs", "LANG": "C"}
