"""As it comes: this machine only, no telemetry, no details of errors for visitors, no secret in anything written."""

import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from medqa_core.cli.app import main
from medqa_core.cli.serve import serve
from medqa_core.data import upload
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from tests.support.source import calls

CONFIG = tomllib.loads((PACKAGE_ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
SECRET = "s3cr3t-value-that-nobody-may-read"
SECRETS = (
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "OPENAI_API_KEY",
    "MY_PASSWORD",
    "GITHUB_TOKEN",
)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, SECRET)


def test_streamlit_serves_this_machine_and_says_nothing_of_errors() -> None:
    server, client = CONFIG["server"], CONFIG["client"]
    assert server["address"] == "localhost" and server["headless"] is True
    assert server["enableCORS"] is True and server["enableXsrfProtection"] is True
    assert server["enableStaticServing"] is False and server["maxUploadSize"] * 2**20 <= upload.LIMIT
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert client["showErrorDetails"] == "none" and client["showErrorLinks"] is False
    assert client["toolbarMode"] == "minimal"


def test_no_text_of_the_code_is_shown() -> None:
    assert CONFIG["runner"]["magicEnabled"] is False


def test_every_way_to_start_it_names_this_machine() -> None:
    makefile = (PACKAGE_ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"(?m)^ADDRESS \?= 127\.0\.0\.1$", makefile) and "--address $(ADDRESS)" in makefile
    assert inspect.signature(serve).parameters["address"].default == "127.0.0.1"
    widget = (PACKAGE_ROOT / "pages" / "ask" / "widget.py").read_text(encoding="utf-8")
    assert '"--host", default="127.0.0.1"' in widget and 'add_argument("--share", action="store_true"' in widget


def test_gradio_is_told_to_keep_to_itself() -> None:
    told: dict[str, Any] = {}
    for place, call, keywords in calls("pages"):
        if place.startswith("widget.py"):
            told |= {f"{call}.{name}": value for name, value in keywords.items()}
    assert told["gr.Blocks.analytics_enabled"] is False and told["page.queue.api_open"] is False
    for name in ("show_error", "run_history", "enable_monitoring"):
        assert told[f"gr.mount_gradio_app.{name}"] is False


def test_nothing_is_open_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDQA_PUBLIC", "MEDQA_KEEP_QUESTIONS", "MEDQA_HOSTS", "MEDQA_FRAMES", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings.from_environment()
    assert (settings.public, settings.keep_questions, settings.hosts, settings.frames) == (False, False, (), ())


def test_the_libraries_report_to_nobody(tmp_path: Path) -> None:
    """OpenVINO would give the home folder a client number and report that it was imported."""
    code = (
        "import medqa_core, json; from huggingface_hub import constants\n"
        "from gradio.analytics import analytics_enabled\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "said = [constants.HF_HUB_DISABLE_TELEMETRY, analytics_enabled(), telemetry_utils.tm.__name__]\n"
        "print(json.dumps(said))"
    )
    unset = ("DO_NOT_TRACK", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED")
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {"HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE_ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [True, False, "openvino.tools.ovc.telemetry_stub"]
    assert not (tmp_path / "intel").exists()


def test_a_page_that_fails_tells_the_visitor_nothing_of_the_error(tmp_path: Path) -> None:
    from streamlit.testing.v1 import AppTest

    script = tmp_path / "page.py"
    script.write_text(
        "from pages.web.failed import page_failed\n"
        f"try:\n    raise ValueError('{SECRET} in /home/somebody')\n"
        "except ValueError as error:\n    page_failed(error)\n"
    )
    app = AppTest.from_file(script, default_timeout=20).run()
    (said,) = [element.value for element in app.error]
    assert SECRET not in said and "/home" not in said and "could not be drawn" in said


def test_the_doctor_names_no_secret(secrets: None, in_lab: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["doctor"], ["doctor", "--json"]):
        with pytest.raises(SystemExit):
            main(arguments)
        captured = capsys.readouterr()
        assert "python" in captured.out and SECRET not in captured.out + captured.err


def test_no_module_looks_at_secrets_or_at_the_whole_environment() -> None:
    """Which variables the program reads stands in its code; it never copies all of them."""
    for place, call, _ in calls("medqa_core", "pages"):
        assert call not in ("os.environ.items", "os.environ.copy"), place
    text = "\n".join(path.read_text(encoding="utf-8") for path in (PACKAGE_ROOT / "medqa_core").rglob("*.py"))
    read = set(re.findall(r"environ(?:\.get\(|\[|\.setdefault\()\s*[\"'](\w+)", text))
    assert not {name for name in read if re.search("TOKEN(?!IZER)|KEY|SECRET|PASSWORD", name)}, read


@pytest.mark.reliability
def test_nothing_that_a_run_writes_holds_a_secret(secrets: None, tmp_path: Path, lab: Settings) -> None:
    """A whole small run with secrets all around it, and commands that fail on the way to a hub."""
    environment = {
        **os.environ, "MEDQA_REPORTS": str(tmp_path), "MEDQA_CACHE": str(lab.cache),
        "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hf"),
    }  # fmt: skip

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "medqa_core", *arguments]
        done = subprocess.run(
            command, cwd=PACKAGE_ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        return done.stdout + done.stderr

    said = run("train", "--preset", "smoke", "--run-id", "quiet", "--evaluate")
    said += run("train", "--preset", "smoke", "--run-id", "broken", "--set", "base_model=owner/nowhere")
    said += run("report", "quiet") + run("verify", "quiet") + run("runs", "--json")
    assert "nowhere" in said and SECRET not in said
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 10
    for path in written:
        assert SECRET.encode() not in path.read_bytes(), path
