"""`cluster` on the command line: bad input is one line; where Ray is missing, one sentence says how to install it."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from medqa_core.cli import cluster
from medqa_core.cli.app import main
from medqa_core.cluster import connect
from medqa_core.jobs.queue import write_status
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import Status
from medqa_core.runs.store.run_store import RunStore


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["cluster", *arguments])
    captured = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, captured.out, captured.err


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "reports"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--preset", "smok"), "Did you mean 'smoke'?"),
        (("train", "--preset", "smoke", "--run-id", "../x"), "run id: '../x' is not valid"),
        (("train", "--preset", "smoke", "--storage", "nosuch://x"), "--storage: nosuch:// cannot be used"),
        (("train", "--preset", "smoke", "--workers", "0"), "'--workers'"),
        (("train", "--resume", "nothing"), "No run called 'nothing'"),
        (("train", "--resume", "a", "--preset", "smoke"), "leave out --preset"),
        (("sweep", "--preset", "smoke"), "give several values"),
        (("sweep", "--preset", "smoke", "--rank", "4,many"), "lora_rank: 'many' is not allowed"),
        (("sweep", "--preset", "smoke", "--rank", "4,"), "--rank: give values between commas"),
        (("follow", "here"), "set MEDQA_REPORTS"),
        (("follow", "file:///nowhere/at/all", "--run", "a"), "there is no 'a'"),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], store: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert words in err
    assert not [path for path in store.glob("*") if not path.name.startswith(".")]


@pytest.mark.parametrize("verb", [(), ("train",), ("sweep",), ("follow",)], ids=" ".join)
def test_help(capsys: pytest.CaptureFixture[str], verb: tuple[str, ...]) -> None:
    code, out, err = said(capsys, *verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: medqa cluster")


@pytest.mark.parametrize("verb", [("train",), ("sweep", "--rank", "4,8")], ids=" ".join)
def test_without_ray_one_sentence_says_how_to_install_it(
    capsys: pytest.CaptureFixture[str], store: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # importing it fails, whether it is installed or not
    code, out, err = said(capsys, *verb, "--preset", "smoke")
    assert (code, out, err) == (1, "", f"error: {connect.INSTALL}\n")
    assert not [path for path in store.glob("*") if not path.name.startswith(".")]


def test_nothing_loads_ray_before_it_is_needed() -> None:
    assert "ray" not in sys.modules
    assert connect.__name__ in sys.modules


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (requirements-ray.txt)")
def test_no_cluster_at_that_address(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "train", "--preset", "smoke", "--address", "nonsense")
    assert code == 2
    assert "no Ray cluster answers at nonsense" in err


def test_follow_counts_the_runs_that_are_up_to_date(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = RunStore(tmp_path / "far")
    there.create(
        there.new_record(from_preset("smoke"), "a"), lambda folder: write_status(folder, Status(state="completed"))
    )
    notes: list[str] = []
    monkeypatch.setattr(cluster, "note", notes.append)
    assert said(capsys, "follow", f"file://{tmp_path}/far", "--once") == (0, "a: completed\n", "")
    assert notes == ["1 run up to date"]


def test_follow_an_empty_storage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    url = f"file://{tmp_path}/none"
    assert said(capsys, "follow", url, "--once") == (0, f"No runs in {url}.\n", "")
    code, out, _ = said(capsys, "follow", url, "--once", "--json")
    assert (code, json.loads(out)) == (0, {})
