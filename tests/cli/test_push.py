"""`push`: what is sent to a hub on 127.0.0.1, by the hub's own client, and what comes back from it."""

import hashlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.models import toy
from tests.support.commands import Command
from tests.support.hub_server import TOKEN, Hub

# The hub's client uploads large files in a way that its HTTP library no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
Python = Callable[..., subprocess.CompletedProcess[str]]
LOAD = """
import sys
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import load_variants
from medqa_core.runs.store.run_store import RunStore
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
base, store = sys.argv[1:]
settings = Settings.from_environment()
variants = load_variants(RunStore(settings.reports).open("smoke"), settings)
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), "me/answers").eval()
inputs = AutoTokenizer.from_pretrained(base)("What is gout?", return_tensors="pt")
with variants.using("fine_tuned") as ours:
    print(float((model(**inputs).logits - ours(**inputs).logits).abs().max()))
"""


@pytest.fixture
def environment(folder: Path, in_lab: Settings, hub: Hub, tmp_path: Path) -> dict[str, str]:
    """Of a process whose hub is the test's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MEDQA_"))}
    return {
        **kept,
        "PYTHONPATH": str(PACKAGE_ROOT),
        "MEDQA_REPORTS": str(folder.parent),
        "MEDQA_CACHE": str(in_lab.cache),
        "HF_HOME": str(tmp_path / "hf-home"),
        "HF_ENDPOINT": hub.address,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",  # its storage is a service of its own
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


@pytest.fixture
def python(environment: dict[str, str], tmp_path: Path) -> Python:
    """Python in a process of its own, as whoever pushes has it."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_dry_run_lists_the_files_and_asks_no_hub(python: Python, hub: Hub, in_lab: Settings) -> None:
    done = python("-m", "medqa_core", "push", "smoke", "--repo", "me/answers", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == "Nothing was sent to me/answers: a dry run."
    assert any(line.endswith("adapter_model.safetensors") and " kB " in line for line in lines)
    assert not hub.requests
    assert not list(in_lab.cache.glob(".push-*"))


def test_nothing_is_sent_before_somebody_agreed(medqa: Command, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    done = medqa("push", "smoke", "--repo", "me/answers")
    assert done.code == 2 and "adapter_model.safetensors" in done.out
    assert done.err == "error: --yes: nothing was sent to me/answers; give it where nobody can be asked.\n"
    for flags, kind in (((), "private"), (("--public",), "public")):
        answer = io.StringIO("n\n")
        monkeypatch.setattr(answer, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", answer)
        said = medqa("push", "smoke", "--repo", "me/answers", *flags)
        assert said.code == 1 and "adapter_model.safetensors" in said.out
        assert f"to me/answers? Where it is not there it is made, {kind}. [y/N]" in said.err
        assert said.err.endswith("error: Nothing was sent to me/answers.\n")
    assert not hub.requests


def test_what_was_pushed_is_what_peft_loads(
    medqa: Command, python: Python, hub: Hub, folder: Path, in_lab: Settings
) -> None:
    done = medqa("push", "smoke", "--repo", "me/answers", "--yes", "--json")
    assert done.code == 0 and done.err == "", done.err
    said = done.json
    held = hub.repositories["me/answers"]
    assert {one["path"]: one["sha256"] for one in said["files"]} == {
        path: hashlib.sha256(content).hexdigest() for path, content in held.items()
    }
    assert held["adapter_model.safetensors"] == (folder / "adapter" / "adapter_model.safetensors").read_bytes()
    assert hub.private == {"me/answers"}
    assert said["files_checked"] == len(held)
    commits = [line for line in hub.requests if "/commit/" in line]
    assert len(commits) == 1

    again = medqa("push", "smoke", "--repo", "me/answers", "--yes")
    assert again.code == 0, again.err
    assert again.out.splitlines()[-1].startswith(f"smoke: sent to {hub.address}/me/answers; the hub holds all ")

    loaded = python("-c", LOAD, str(toy.ensure(in_lab.cache)), str(folder.parent))
    assert loaded.returncode == 0, loaded.stderr
    assert float(loaded.stdout) == 0


@pytest.mark.parametrize(
    ("changed", "repo", "sentence"),
    [
        ({"HF_TOKEN": "wrong"}, "me/answers", "The model hub wants a login"),
        ({}, "others/answers", "lets this login not write to others/answers"),
        ({"ENDPOINT": "a closed port"}, "me/answers", "The model hub did not take me/answers"),
        ({"HF_HUB_OFFLINE": True}, "me/answers", "The model hub is switched off by HF_HUB_OFFLINE"),
        ({}, "no-owner", "--repo: 'no-owner' is not OWNER/NAME"),
    ],
)
def test_each_refusal_is_one_line(
    medqa: Command,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str | bool],
    repo: str,
    sentence: str,
) -> None:
    for name, value in changed.items():
        if name == "HF_TOKEN":
            monkeypatch.setenv(name, str(value))
        else:
            monkeypatch.setattr(constants, name, closed_port() if name == "ENDPOINT" else value)
    said = medqa("push", "smoke", "--repo", repo, "--yes")
    assert said.code == (2 if repo == "no-owner" else 1), said.err
    assert sentence in said.err and said.err.count("\n") == 1, said.err
    assert not hub.repositories


def test_a_hub_that_keeps_something_else_is_found_out(medqa: Command, hub: Hub) -> None:
    hub.altering = "report/run.json"
    done = medqa("push", "smoke", "--repo", "me/answers", "--yes")
    assert done.code == 1
    assert done.err == "error: me/answers holds something else than was sent: report/run.json. Push again.\n"
