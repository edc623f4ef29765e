"""`push`: what is sent to a hub on 127.0.0.1, by the hub's own client, and what comes back from it."""

import hashlib
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.models import toy
from tests.support.commands import Command
from tests.support.hub_server import TOKEN, Hub, serving

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
def hub() -> Iterator[Hub]:
    with serving({}) as running:
        yield running


@pytest.fixture
def medqa(folder: Path, in_lab: Settings, hub: Hub, tmp_path: Path) -> Python:
    """A command in a process of its own, whose hub is the test's; `code` in place of a command."""

    def run(*arguments: str, code: str | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "MEDQA_"))}
        environment = {
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
            **extra,
        }
        what = ["-m", "medqa_core"] if code is None else ["-c", code]
        command = [sys.executable, *what, *arguments]
        return subprocess.run(
            command,
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


def test_a_dry_run_lists_the_files_and_asks_no_hub(medqa: Python, hub: Hub, in_lab: Settings) -> None:
    done = medqa("push", "smoke", "--repo", "me/answers", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-1] == "Nothing was sent to me/answers: a dry run."
    assert any(line.endswith("adapter_model.safetensors") and " kB " in line for line in lines)
    assert not hub.requests
    assert not list(in_lab.cache.glob(".push-*"))


def test_nothing_is_sent_before_somebody_agreed(
    medqa: Python, hub: Hub, folder: Path, cli: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = medqa("push", "smoke", "--repo", "me/answers")
    assert done.returncode == 2 and "adapter_model.safetensors" in done.stdout
    assert done.stderr == "error: --yes: nothing was sent to me/answers; give it where nobody can be asked.\n"
    for flags, kind in (((), "private"), (("--public",), "public")):
        answer = io.StringIO("n\n")
        monkeypatch.setattr(answer, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", answer)
        said = cli("push", "smoke", "--repo", "me/answers", *flags)
        assert said.code == 1 and "adapter_model.safetensors" in said.out
        assert f"to me/answers? Where it is not there it is made, {kind}. [y/N]" in said.err
        assert said.err.endswith("error: Nothing was sent to me/answers.\n")
    assert not hub.requests


def test_what_was_pushed_is_what_peft_loads(medqa: Python, hub: Hub, folder: Path, in_lab: Settings) -> None:
    done = medqa("push", "smoke", "--repo", "me/answers", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
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
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1].startswith(f"smoke: sent to {hub.address}/me/answers; the hub holds all ")

    loaded = medqa(str(toy.ensure(in_lab.cache)), str(folder.parent), code=LOAD)
    assert loaded.returncode == 0, loaded.stderr
    assert float(loaded.stdout) == 0


def test_what_was_pushed_is_imported_as_a_run_with_its_model(
    medqa: Python, hub: Hub, folder: Path, tmp_path: Path
) -> None:
    assert medqa("push", "smoke", "--repo", "me/answers", "--public", "--yes").returncode == 0
    assert not hub.private, "public where it was asked for"
    for path, content in hub.repositories["me/answers"].items():
        (tmp_path / "pulled" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pulled" / path).write_bytes(content)
    arguments = ("--data", "starter", "--base", "toy", "--test-size", "20", "--run-id", "back")
    done = medqa("import", str(tmp_path / "pulled"), *arguments)
    assert done.returncode == 0, done.stderr
    weights = "adapter/adapter_model.safetensors"
    assert (folder.parent / "back" / weights).read_bytes() == (folder / weights).read_bytes()


def test_each_refusal_is_one_line(medqa: Python, hub: Hub) -> None:
    cases: list[tuple[dict[str, str], str, str]] = [
        ({"HF_TOKEN": "wrong"}, "me/answers", "The model hub wants a login"),
        ({}, "others/answers", "lets this login not write to others/answers"),
        ({"HF_ENDPOINT": closed_port()}, "me/answers", "The model hub did not take me/answers"),
        ({"HF_HUB_OFFLINE": "1"}, "me/answers", "The model hub is switched off by HF_HUB_OFFLINE"),
        ({}, "no-owner", "--repo: 'no-owner' is not OWNER/NAME"),
    ]
    for extra, repo, sentence in cases:
        done = medqa("push", "smoke", "--repo", repo, "--yes", **extra)
        assert done.returncode == (2 if repo == "no-owner" else 1), done.stderr
        assert sentence in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not hub.repositories


def test_a_hub_that_keeps_something_else_is_found_out(medqa: Python, hub: Hub) -> None:
    hub.altering = "report/run.json"
    done = medqa("push", "smoke", "--repo", "me/answers", "--yes")
    assert done.returncode == 1
    assert done.stderr == "error: me/answers holds something else than was sent: report/run.json. Push again.\n"
