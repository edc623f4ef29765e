"""What the image, its ignore file, the Space and docs/hosting.md say agrees with the code and with each other."""

import json
import os
import re
import shlex
import subprocess
import time
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
import yaml
from starlette.routing import Route
from streamlit import config
from streamlit.web.server.starlette import starlette_routes

from medqa_core.answering.admission import QUESTIONS, WINDOW_SECONDS
from tests.support.jobs import until

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
HOSTING = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8")
SPACE = (ROOT / "docs" / "space" / "README.md").read_text(encoding="utf-8")
FETCH = "import urllib.request as r"


@cache
def instructions() -> tuple[tuple[str, str], ...]:
    """The Dockerfile as (instruction, rest), comments left out and continued lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return tuple(
        (name.upper(), rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines()) if name
    )


def all_of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def last_stage() -> list[tuple[str, str]]:
    """What the image itself is made of; an earlier stage is thrown away."""
    start = max(index for index, (name, _) in enumerate(instructions()) if name == "FROM")
    return list(instructions()[start + 1 :])


def environment() -> dict[str, str]:
    """What the image sets."""
    pairs = [word for name, rest in last_stage() if name == "ENV" for word in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def copied() -> list[str]:
    """What is copied out of the repository."""
    words = [shlex.split(rest) for rest in all_of("COPY")]
    return [source for line in words if not line[0].startswith("--from") for source in line[:-1] if source[:2] != "--"]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out: the last pattern that names it or a folder above it decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            above = [path, *map(str, PurePosixPath(path).parents)][:-1]
            if any(_names(pattern.removeprefix("!"), one) for one in above):
                out = not pattern.startswith("!")
    return out


def _names(pattern: str, path: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatchcase(path, pattern[3:]) or fnmatchcase(path, f"*/{pattern[3:]}")
    folders = pattern.split("/")
    if "**" in folders:
        return fnmatchcase(path, pattern) or fnmatchcase(path, pattern.replace("**/", ""))
    return len(folders) == path.count("/") + 1 and all(map(fnmatchcase, path.split("/"), folders))


def test_the_image_does_not_serve_as_root() -> None:
    users = [rest for name, rest in last_stage() if name == "USER"]
    assert users and users[-1] == "1000", "a number, so that a host can see that it is not root"
    assert any("useradd --uid 1000" in rest for name, rest in last_stage() if name == "RUN")


def test_one_port_and_the_space_knows_it() -> None:
    exposed, front = all_of("EXPOSE"), yaml.safe_load(SPACE.split("---")[1])
    assert exposed == [environment()["PORT"]] == [str(front["app_port"])]
    assert front["sdk"] == "docker" and front["license"] == "mit"


def test_torch_is_the_one_that_requirements_name() -> None:
    pinned = re.findall(r"(?m)^torch==(\S+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"))
    named = re.findall(r"torch==([\w.+]+)", DOCKERFILE)
    assert len(pinned) == 1 and set(named) <= set(pinned)
    assert named or "$(grep '^torch==' requirements.txt)" in DOCKERFILE
    assert any(rest.startswith("TORCH_INDEX=") for rest in all_of("ARG"))


def test_the_base_image_is_pinned_and_of_the_supported_python() -> None:
    image = dict(rest.split("=", 1) for rest in all_of("ARG"))["PYTHON_IMAGE"]
    assert re.fullmatch(r"python:3\.11(\.\d+)?-slim(-\w+)?", image)
    assert all(rest.split()[0] == "${PYTHON_IMAGE}" for rest in all_of("FROM"))


def test_everything_copied_exists_and_is_not_ignored() -> None:
    assert {"app.py", "medqa_core", "pages", "reports", ".streamlit", "requirements.txt"} <= set(copied())
    for source in copied():
        assert (ROOT / source).exists() and not ignored(source), source
    for file in (
        "medqa_core/data/starter.jsonl",
        ".streamlit/config.toml",
        "reports/starter/adapter/adapter_config.json",
    ):
        assert (ROOT / file).exists() and not ignored(file), file


@pytest.mark.parametrize(
    "path",
    [
        *(".git", ".git/config", ".venv", ".venv/bin/python", "tests", "tests/e2e/conftest.py", "benchmarks", "docs"),
        *(
            "docs/images/summary.png",
            ".streamlit/secrets.toml",
            "reports/starter/checkpoints",
            "pages/__pycache__/a.pyc",
        ),
        *("medqa_core/data/__pycache__", "reports/.queue.lock", "reports/starter/.evaluation.jsonl", ".env"),
    ],
)
def test_kept_out_of_the_image(path: str) -> None:
    assert ignored(path)


def test_the_demo_is_read_only_and_reachable() -> None:
    assert environment()["MEDQA_PUBLIC"] == "1"
    (command,) = all_of("CMD")
    assert "streamlit run app.py" in command
    assert "--server.address 0.0.0.0" in command and '--server.port \\"$PORT\\"' in command


@pytest.mark.parametrize(("body", "signalled", "code"), [
    ("trap 'exit 143' TERM; touch up; while :; do sleep 0.05; done", True, 143),
    ("touch up; exit 3", False, 3),
    ("touch up; kill -KILL $$", False, 137),
])  # fmt: skip
def test_the_server_is_told_to_end_and_its_end_is_the_containers(
    tmp_path: Path, body: str, signalled: bool, code: int
) -> None:
    """The command of the image, with a stand-in for Streamlit."""
    (tmp_path / "streamlit").write_text(f'#!/bin/sh\necho "$@" > told\n{body}\n')
    (tmp_path / "streamlit").chmod(0o755)
    (words,) = all_of("CMD")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PORT": "7999"}
    with subprocess.Popen(json.loads(words), cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as process:
        until(lambda: (tmp_path / "up").exists())
        if signalled:  # again where the shell was not ready to hear it
            while process.poll() is None:
                process.terminate()
                time.sleep(0.1)
        assert process.wait(20) == code
    assert (tmp_path / "told").read_text() == "run app.py --server.address 0.0.0.0 --server.port 7999\n"


def test_the_models_are_in_the_image_where_the_app_looks() -> None:
    built = dict(word.split("=", 1) for word in shlex.split(all_of("ENV")[0]))
    copies = [shlex.split(rest) for name, rest in last_stage() if name == "COPY"]
    for variable in ("MEDQA_CACHE", "MEDQA_REPORTS"):
        folder = environment()[variable]
        assert built[variable] == folder
        assert ["--from=build", "--chown=1000:1000", folder, folder] in copies, f"{variable} is not the user's to write"
    assert "python -m medqa_core data fetch" in DOCKERFILE


def test_the_health_check_asks_streamlit_and_fails_where_nobody_answers() -> None:
    routes = [route.path for route in starlette_routes.create_health_routes(None, None) if isinstance(route, Route)]  # type: ignore[arg-type]
    (check,) = all_of("HEALTHCHECK")
    command = check.partition("CMD ")[2]
    asked = re.search(r"\$PORT(/[\w/-]+)", command)
    assert asked and asked[1] in routes
    done = subprocess.run(
        ["sh", "-c", command], env={**os.environ, "PORT": "1"}, capture_output=True, text=True, timeout=60, check=False
    )
    assert FETCH in command and done.returncode != 0 and "SyntaxError" not in done.stderr


def test_variables_that_the_docs_name_exist() -> None:
    files = [ROOT / "app.py", *(ROOT / "medqa_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    of_streamlit = {option.env_var for option in config.get_config_options().values()}
    arguments = {rest.partition("=")[0] for rest in all_of("ARG")}
    named = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\bPORT\b|\bASK\b", HOSTING))
    assert {"MEDQA_PUBLIC", "PORT", "TORCH_INDEX"} <= named
    for name in sorted(named | set(environment())):
        if name.startswith("STREAMLIT_"):
            assert name in of_streamlit, name
        elif name.startswith("MEDQA_"):
            assert re.search(rf"\b{name}\b", code), name
        else:
            known = {"PORT", "PATH", "HF_HOME", "GRADIO_TEMP_DIR", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
            assert name in known | arguments or name.startswith("FORWARDED_"), name


@pytest.mark.parametrize("text", [HOSTING, SPACE], ids=["hosting.md", "the Space"])
def test_visitors_are_told_the_limit_that_is_enforced(text: str) -> None:
    assert f"{QUESTIONS} questions in {WINDOW_SECONDS // 60} minutes" in text


def test_links_within_the_repository_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", HOSTING):
        assert (ROOT / "docs" / target).exists(), target
