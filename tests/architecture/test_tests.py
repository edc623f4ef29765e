"""The tests' own house: what they share lies in `tests/support` or beside them, and a `conftest` is pytest's alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
FILES = sorted(path for path in TESTS.rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, those inside its functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def test_no_conftest_and_no_other_test_is_imported() -> None:
    """pytest imports a conftest under a name of its own: a second import would run it twice."""
    for path in FILES:
        for name in imported(path):
            assert "conftest" not in name.split("."), (path, name)
            assert not any(part.startswith("test_") for part in name.split(".")[:-1]), (path, name)


def test_what_one_package_shares_is_not_taken_by_another() -> None:
    """A helper that lies beside its tests is theirs alone; for more than one package it goes to `tests/support`."""
    taken = {
        f"{path.relative_to(TESTS).as_posix()}: {name}"
        for path in FILES
        for name in imported(path)
        if name.startswith("tests.") and name.split(".")[1] not in ("support", path.relative_to(TESTS).parts[0])
    }
    assert not taken


def test_the_support_does_not_know_the_tests() -> None:
    for path in sorted((TESTS / "support").glob("*.py")):
        assert all(not name.startswith("tests.") or name.startswith("tests.support.") for name in imported(path)), path
