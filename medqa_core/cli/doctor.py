"""`doctor`: what is installed and available, and what to do about what is not."""

import importlib.util
import os
import platform
import re
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version

import psutil

from medqa_core.cli.output import JsonFlag, print_json, say
from medqa_core.foundation.format import plural
from medqa_core.foundation.settings import APP_NAME, PACKAGE_ROOT, Settings, is_installed
from medqa_core.foundation.threads import thread_policy
from medqa_core.models.availability import model_availability
from medqa_core.runs.store.run_store import RunStore

PINNED = re.compile(r"([A-Za-z0-9_.-]+)==([^\s;]+)")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    ok: bool
    detail: str
    remedy: str | None = None


def doctor(json: JsonFlag = False) -> None:
    """Show what is installed and available, and how to get the rest."""
    settings = Settings.from_environment()
    findings = [*_packages(), _device(), _threads(), *_models(settings), *_data(settings), _store(settings)]
    if json:
        print_json([asdict(finding) for finding in findings])
        return
    for finding in findings:
        say(f"{'ok     ' if finding.ok else 'missing'} {finding.name:<26} {finding.detail}")
        if finding.remedy:
            say(f"{'':<34} → {finding.remedy}")


def _packages() -> list[Finding]:
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    findings = [Finding("python", sys.version_info >= (3, 11), python)]
    for name, wanted in _pinned():
        try:
            found = version(name)
        except PackageNotFoundError:
            remedy = f"pip install {name}=={wanted}"
            findings.append(Finding(name, False, f"not installed, {wanted} wanted", remedy))
            continue
        if found.split("+")[0] != wanted:
            findings.append(Finding(name, True, f"{found} installed, {wanted} tested"))
        else:
            findings.append(Finding(name, True, found))
    return findings


def _pinned() -> list[tuple[str, str]]:
    """Each direct dependency with its version: what an installation says of itself, else what the checkout says."""
    if is_installed():
        lines = [line for line in requires(APP_NAME) or [] if ";" not in line]  # a condition marks an extra
    else:
        lines = (PACKAGE_ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return [(found[1], found[2]) for line in lines if (found := PINNED.match(line))]


def _device() -> Finding:
    memory = f"{psutil.virtual_memory().total / 2**30:.0f} GiB memory, {os.cpu_count()} cores"
    if importlib.util.find_spec("torch") is None:
        return Finding("device", False, f"cpu ({memory}); torch is missing")
    from medqa_core.models.loader import pick_device

    return Finding("device", True, f"{pick_device()} ({memory})")


def _threads() -> Finding:
    return Finding("waiting threads", True, ", ".join(f"{name}={value}" for name, value in thread_policy().items()))


def _models(settings: Settings) -> list[Finding]:
    return [
        Finding(f"model {r.name}", r.state in ("ready", "made when needed"), r.detail, r.remedy)
        for r in model_availability(settings)
    ]


def _data(settings: Settings) -> list[Finding]:
    findings = [Finding("data starter", True, "shipped")]
    for name, path, what in (
        ("data medquad", settings.medquad, "the MedQuAD ZIP from github.com/abachaa/MedQuAD"),
        ("data mmlu", settings.mmlu, "a folder with the MMLU subsets as CSV"),
    ):
        there = path is not None and path.exists()
        variable = f"MEDQA_{name.split()[1].upper()}"
        findings.append(
            Finding(name, there, str(path) if path else "not available", None if there else f"set {variable} to {what}")
        )
    return findings


def _store(settings: Settings) -> Finding:
    entries = RunStore(settings.reports).list()
    broken = [entry.id for entry in entries if entry.problem]
    detail = f"{settings.reports}: {plural(len(entries), 'run')}" + (
        f", unreadable: {', '.join(broken)}" if broken else ""
    )
    return Finding("run store", settings.reports.is_dir(), detail)
