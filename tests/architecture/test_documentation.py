"""README, CONTRIBUTING, docs/ and the decisions: the commands, files and links that they name exist."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from medqa_core.cli.app import app
from medqa_core.foundation.command import PROGRAM

ROOT = Path(__file__).parents[2]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *DECISIONS,
]
NOW = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""What speaks of today: the changelog names commands and files that are gone."""
FOLDERS = (ROOT, ROOT / "medqa_core", ROOT / "medqa_core" / "runs")
"""What a path in these texts may be relative to."""
MADE = (".venv/", "medqa_core/_site/", "..")
"""Beginnings of paths that a checkout does not hold: made here, only installed, or beside it."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def inline(text: str) -> list[str]:
    """What stands in single backticks, outside of code blocks."""
    prose = re.sub(r"(?ms)^```.*?^```", "", text)
    return [" ".join(code.split()) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]


def block_lines(text: str) -> Iterator[str]:
    """The lines of the code blocks, continued ones joined, without comments."""
    for language, block in re.findall(r"(?ms)^```(\w*)\n(.*?)^```", text):
        if language in ("", "bash", "sh"):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                yield re.sub(r"\s+#.*", "", line).strip()


@cache
def verbs() -> dict[str, Any]:
    """Every command by its words, but for what only the program itself calls: `train`, `data fetch`, …"""
    group: Any = typer.main.get_command(app)
    found = {}
    for verb, one in group.commands.items():
        if one.hidden:
            continue
        found[verb] = one
        found |= {f"{verb} {below}": two for below, two in getattr(one, "commands", {}).items()}
    return found


def unknown(words: list[str]) -> str | None:
    """What is wrong with a command of this program: an unknown verb or option."""
    if not words or words[0].startswith("-"):
        return None if words in ([], ["--help"]) else f"no option {words[0]} of {PROGRAM} itself"
    pair = " ".join(words[:2])
    one = verbs().get(pair) or verbs().get(words[0])
    if one is None:
        return f"no verb {words[0]!r}"
    options = {option for param in one.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    missing = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    return f"{words[0]} has no {', '.join(missing)}" if missing else None


def commands(text: str) -> Iterator[list[str]]:
    """The words behind `medqa` of each command shown; inline also verbs with options and no `medqa` before them."""
    for line in block_lines(text):
        for part in re.split(r"\s*(?:&&|\|\|?|;)\s*", line):
            words = shlex.split(part) if PROGRAM in part else []
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and words[0].rpartition("/")[2] == PROGRAM:
                yield words[1:]
    for code in inline(text):
        if "…" in code or "[" in code:
            continue
        if code.startswith(f"{PROGRAM} "):
            yield shlex.split(code)[1:]
        elif " --" in code and code.split()[0] in verbs():
            yield shlex.split(code)


@pytest.mark.parametrize("page", NOW, ids=name)
def test_commands_exist(page: Path) -> None:
    wrong = {" ".join(words): why for words in commands(page.read_text("utf-8")) if (why := unknown(words))}
    assert not wrong


def test_the_readme_shows_every_verb() -> None:
    shown = {words[0] for words in commands((ROOT / "README.md").read_text("utf-8")) if words}
    assert shown >= {verb for verb in verbs() if " " not in verb}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def is_path(code: str) -> bool:
    """Whether a text in backticks is a path into the repository: below one of its folders, and no pattern."""
    if code.startswith(MADE) or not re.fullmatch(r"[\w.-]+(?:/[\w.-]+)+/?", code):
        return False
    first = code.split("/")[0]
    return any((folder / first).is_dir() for folder in FOLDERS) and not re.search(r"\b[A-Z]{3,}\b", code)


@pytest.mark.parametrize("page", NOW, ids=name)
def test_paths_exist(page: Path) -> None:
    named = [code for code in inline(page.read_text("utf-8")) if is_path(code)]
    assert not [code for code in named if not any((folder / code).exists() for folder in FOLDERS)]


def test_no_page_shows_the_command_as_it_was() -> None:
    for page in NOW:
        shown = re.findall(r"python -m medqa_core \w+", page.read_text("utf-8"))
        assert not shown, f"{name(page)}: {shown}; it is `{PROGRAM} …`"


@pytest.mark.parametrize("page", DECISIONS, ids=name)
def test_a_decision_has_its_number_a_date_and_a_status(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    assert lines[0].startswith(f"# {int(page.name[:4])}. ")
    assert re.fullmatch(r"(?:Accepted|Replaced by \[.*\]\(.*\)), \d{4}-\d\d-\d\d\.", lines[2])
    assert [int(one.name[:4]) for one in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_changelog_is_dated_and_begins_with_this_version() -> None:
    import medqa_core

    titles = re.findall(r"(?m)^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    if titles[0].endswith(" (unreleased)"):  # what is being worked on, above what the version is
        del titles[0]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", title) for title in titles)
    assert titles[0].split()[0] == medqa_core.__version__


def test_joining_runs_what_the_project_runs() -> None:
    """The checks at a commit come from the project's own environment; the workflow runs `.ci/run` and nothing else."""
    hooks = [hook for repo in load(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for hook in hooks:
        program = hook["entry"].split()[0]
        assert hook["language"] == "system" and program.startswith(".venv/bin/")
        assert f"$(BIN)/{Path(program).name}" in makefile
    (job,) = load(".github/workflows/ci.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]


def load(path: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / path).read_text("utf-8")))
