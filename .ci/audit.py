"""Are there known holes in the pinned packages? Asks pip-audit about constraints.txt; `make audit` runs it.

Exits with 1 on a hole that .ci/audit-allowed.txt does not list. Where no advisory database is in reach, nothing was
checked: that is said, and is no failure.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = ROOT / ".ci" / "audit-allowed.txt"
SERVICES = ("pypi", "osv")
PATIENCE = 300
"""Seconds for one database to answer about all packages."""


@dataclass(frozen=True)
class Verdict:
    """What came of it: sentences for a person, and whether a hole was found that is not allowed."""

    sentences: list[str]
    failed: bool = False


def allowed(text: str) -> dict[tuple[str, str], str]:
    """The reasons by hole and package.

    Raises:
        ValueError: a line without all three.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            parts = line.split(maxsplit=2)
            if len(parts) != 3:
                raise ValueError(f"audit-allowed.txt, line {number}: a hole's id, the package and a reason are needed.")
            found[parts[0], parts[1].lower()] = parts[2]
    return found


def judge(report: dict[str, Any], reasons: dict[tuple[str, str], str]) -> Verdict | None:
    """What pip-audit's report means; None where it could ask about no package at all."""
    packages = report.get("dependencies") or []
    asked = [package for package in packages if "vulns" in package]
    if not asked:
        return None
    sentences, failed, used = [], False, set()
    for package in asked:
        name = str(package["name"]).lower()
        for hole in package["vulns"]:
            ids = [hole["id"], *hole.get("aliases", [])]
            key = next(((one, name) for one in ids if (one, name) in reasons), None)
            fixed = ", ".join(hole.get("fix_versions", [])) or "no version yet"
            if key is None:
                failed = True
                sentences.append(f"{name} {package['version']}: {' / '.join(ids)}; mended in {fixed}.")
            else:
                used.add(key)
                sentences.append(f"{name} {package['version']}: {key[0]} is allowed: {reasons[key]}")
    sentences += [
        f"{one} of {name} is allowed but not found any more: remove its line." for one, name in reasons.keys() - used
    ]
    skipped = len(packages) - len(asked)
    tail = f", {skipped} are unknown to the database" if skipped else ""
    sentences.append(f"{len(asked)} packages were looked up{tail}.")
    return Verdict(sentences, failed)


def ask(service: str) -> dict[str, Any]:
    """pip-audit's report from one database; empty where it did not answer."""
    command = [sys.executable, "-m", "pip_audit", "-r", "constraints.txt", "--no-deps", "--disable-pip", "-s", service]
    try:
        done = subprocess.run(
            [*command, "-f", "json", "--progress-spinner", "off"],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        found = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def main() -> int:
    """Ask, judge, and say it."""
    reasons = allowed(ALLOWED.read_text(encoding="utf-8"))
    verdict = next((found for service in SERVICES if (found := judge(ask(service), reasons)) is not None), None)
    if verdict is None:
        verdict = Verdict(["No advisory database is in reach from here: nothing was checked."])
    sys.stdout.write("".join(f"{sentence}\n" for sentence in verdict.sentences))
    return int(verdict.failed)


if __name__ == "__main__":
    sys.exit(main())
