"""The program's own source, looked through by tests."""

import ast
from collections.abc import Iterator
from typing import Any

from medqa_core.foundation.settings import PACKAGE_ROOT


def calls(*folders: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every call in the program: where, what by its written name, and its keywords where they are literals."""
    for folder in folders:
        for path in sorted((PACKAGE_ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    keywords = {
                        k.arg: k.value.value for k in node.keywords if k.arg and isinstance(k.value, ast.Constant)
                    }
                    yield f"{path.name}:{node.lineno}", ast.unparse(node.func), keywords
