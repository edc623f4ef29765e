"""`make audit` on made-up answers: a hole fails unless it is listed with a reason, and silence is not called safety."""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", PACKAGE_ROOT / ".ci" / "audit.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["audit"] = module
    spec.loader.exec_module(module)
    return module


def report(*holes: str) -> dict[str, Any]:
    found = [{"id": hole, "aliases": [f"CVE-{hole}"], "fix_versions": ["2.0"], "description": "x"} for hole in holes]
    return {"dependencies": [{"name": "Leaky", "version": "1.0", "vulns": found}, {"name": "sound", "version": "1",
                              "vulns": []}, {"name": "torch", "skip_reason": "unknown"}]}  # fmt: skip


def test_no_hole(audit: ModuleType) -> None:
    verdict = audit.judge(report(), {})
    assert not verdict.failed and verdict.sentences == ["2 packages were looked up, 1 are unknown to the database."]


def test_a_hole_fails(audit: ModuleType) -> None:
    verdict = audit.judge(report("PYSEC-1"), {})
    assert verdict.failed and verdict.sentences[0] == "leaky 1.0: PYSEC-1 / CVE-PYSEC-1; mended in 2.0."


@pytest.mark.parametrize("name", ["PYSEC-1", "CVE-PYSEC-1"])
def test_a_listed_hole_is_named_with_its_reason(audit: ModuleType, name: str) -> None:
    verdict = audit.judge(report("PYSEC-1"), {(name, "leaky"): "not reached"})
    assert not verdict.failed and "not reached" in verdict.sentences[0]
    assert audit.judge(report("PYSEC-1", "PYSEC-2"), {(name, "leaky"): "not reached"}).failed
    assert audit.judge(report("PYSEC-1"), {(name, "another"): "not reached"}).failed


def test_a_line_that_is_not_needed_is_named(audit: ModuleType) -> None:
    assert any("remove its line" in line for line in audit.judge(report(), {("PYSEC-1", "leaky"): "x"}).sentences)


@pytest.mark.parametrize("answer", [{}, {"dependencies": []}, {"dependencies": [{"name": "a", "skip_reason": "x"}]}])
def test_silence_is_said(
    audit: ModuleType, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.judge(answer, {}) is None
    monkeypatch.setattr(audit, "ask", lambda service: answer)
    assert audit.main() == 0
    assert "nothing was checked" in capsys.readouterr().out


def test_the_second_database_is_asked_where_the_first_is_silent(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "ask", lambda service: report("PYSEC-1") if service == "osv" else {})
    assert audit.main() == 1


def test_the_list_has_a_reason_a_line(audit: ModuleType) -> None:
    audit.allowed((PACKAGE_ROOT / ".ci" / "audit-allowed.txt").read_text(encoding="utf-8"))
    assert audit.allowed("# x\n\nPYSEC-1 Leaky not reached\n") == {("PYSEC-1", "leaky"): "not reached"}
    with pytest.raises(ValueError, match="line 1"):
        audit.allowed("PYSEC-1 leaky\n")
