"""What `pip install .` puts into an environment: built here as a wheel, unpacked beside nothing else, and run."""

import importlib
import json
import os
import subprocess
import sys
import time
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from typing import Any

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT

PROJECT = tomllib.loads((PACKAGE_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HOOK = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
needs_backend = pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not installed")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=PACKAGE_ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def site_packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel, as an environment has it."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


@pytest.fixture
def environment(site_packages: Path, tmp_path: Path) -> dict[str, str]:
    """An environment in which only the installed code is found, with a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEDQA_", "XDG_"))}
    home = {"HOME": str(tmp_path / "home"), "XDG_DATA_HOME": str(tmp_path / "data")}
    return kept | home | {"PYTHONPATH": str(site_packages), "MEDQA_CACHE": str(tmp_path / "cache")}


def medqa(environment: dict[str, str], folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "medqa_core", *words],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_leads_to_the_command_line() -> None:
    module, _, function = PROJECT["project"]["scripts"]["medqa"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_what_the_wheel_takes_along_exists() -> None:
    for path in [*HOOK["site"], *(f"reports/{run}/run.json" for run in HOOK["runs"])]:
        assert (PACKAGE_ROOT / path).exists(), path


def test_the_shipped_runs_are_those_of_the_repository() -> None:
    done = subprocess.run(
        ["git", "ls-files", "reports"], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    if done.returncode != 0 or not done.stdout:
        pytest.skip("no git here")
    assert {line.split("/")[1] for line in done.stdout.splitlines()} == set(HOOK["runs"])


def test_the_backend_is_pinned_once() -> None:
    (backend,) = PROJECT["build-system"]["requires"]
    for file in ("requirements-dev.txt", "constraints.txt"):
        assert backend in (PACKAGE_ROOT / file).read_text(encoding="utf-8").splitlines(), file


def test_every_pinned_requirement_stands_in_the_lock() -> None:
    lines = (PACKAGE_ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    locked = {line.lower().replace("_", "-") for line in lines}
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (PACKAGE_ROOT / file).read_text(encoding="utf-8").splitlines():
            assert line.startswith(("#", "-r")) or line.lower().replace("_", "-") in locked, line


@needs_backend
def test_the_wheel_holds_the_package_and_the_site(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        (metadata,) = (packed.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"medqa_core"}, "no `app`, no `pages` of ours"
    tracked = [
        PACKAGE_ROOT / "app.py",
        *(PACKAGE_ROOT / "pages").rglob("*.py"),
        PACKAGE_ROOT / ".streamlit/config.toml",
    ]
    for path in tracked:
        assert f"medqa_core/_site/{path.relative_to(PACKAGE_ROOT).as_posix()}" in names
    for path in (PACKAGE_ROOT / "medqa_core").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(PACKAGE_ROOT).as_posix() in names
    kept_out = ("__pycache__", "votes.jsonl", "/checkpoints/", ".lock", "secrets.toml")
    assert not [name for name in names if any(part in name for part in kept_out)]
    pinned = [line for line in (PACKAGE_ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    stated = metadata.lower().replace("_", "-")
    assert all(f"requires-dist: {line}\n".lower().replace("_", "-") in stated for line in pinned)
    assert "Provides-Extra: ray" in metadata and "Provides-Extra: dev" in metadata


@needs_backend
def test_runs_are_kept_in_the_users_folder_and_given_once(
    environment: dict[str, str], site_packages: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert medqa(environment, elsewhere, "--help").startswith("Usage: medqa ")
    assert not (tmp_path / "data").exists(), "help writes nothing"
    listed = json.loads(medqa(environment, elsewhere, "runs", "--json"))
    assert {run["id"]: run["problem"] for run in listed} == dict.fromkeys(HOOK["runs"])
    store = tmp_path / "data" / "medqa-lab" / "reports"
    for run in store.iterdir():
        if run.is_dir():
            shipped = site_packages / "medqa_core" / "_site" / "reports" / run.name
            assert {p.relative_to(shipped) for p in shipped.rglob("*")} == {p.relative_to(run) for p in run.rglob("*")}
    assert not list(elsewhere.iterdir())
    named = json.loads(medqa(environment | {"MEDQA_REPORTS": str(tmp_path / "mine")}, elsewhere, "runs", "--json"))
    assert named == [], "a store that is named is left as it is"


@needs_backend
def test_the_library_opens_the_shipped_runs(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import medqa_core; print(sorted(medqa_core.list_runs()['id']), medqa_core.open_run('starter').problems)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert done.stdout == f"{sorted(HOOK['runs'])} ()\n"


@needs_backend
@pytest.mark.real
def test_the_doctor_knows_the_pinned_packages_and_the_store(environment: dict[str, str], tmp_path: Path) -> None:
    findings = {one["name"]: one for one in json.loads(medqa(environment, tmp_path, "doctor", "--json"))}
    assert {"torch", "streamlit", "gradio"} <= set(findings)
    assert str(tmp_path / "data") in findings["run store"]["detail"]


@needs_backend
@pytest.mark.real
def test_a_fine_tune_from_another_folder(environment: dict[str, str], tmp_path: Path) -> None:
    medqa(environment, tmp_path, "train", "--preset", "smoke", "--set", "epochs=0.5")
    assert (tmp_path / "data" / "medqa-lab" / "reports" / "smoke" / "metrics.jsonl").is_file()


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """`medqa serve` from a folder whose own modules have the names of ours; its address."""
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "pages").mkdir(parents=True)
    for name in ("app.py", "pages/__init__.py", "random.py"):
        (elsewhere / name).write_text("raise SystemExit('not this one')\n")
    with closing(socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-P", "-m", "medqa_core", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=elsewhere, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):  # the embedded model is fetched and converted first
            assert process.poll() is None, "the server ended while starting"
            try:
                get(f"{address}/_stcore/health")
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=120) as answer:
        return str(answer.read().decode())


@needs_backend
@pytest.mark.real
def test_serve_from_another_folder(server: str, environment: dict[str, str]) -> None:
    """The first page, the widget, and a question answered by both models of a shipped run."""
    from gradio_client import Client

    assert "<title>" in get(f"{server}/") and "gradio" in get(f"{server}/qa/")
    if not (Path(environment["MEDQA_CACHE"]) / "models").is_dir():
        pytest.skip("the embedded model cannot be fetched from here")
    client: Any = Client(f"{server}/qa/", httpx_kwargs={"timeout": 300}, verbose=False)
    answers = client.predict("What are the symptoms of gout?", run="starter", api_name="/compare")
    assert answers["base"]["text"] and answers["fine_tuned"]["text"]
