"""The environment decides, now and not at import time."""

from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings

VARIABLES = (
    "MEDQA_REPORTS",
    "MEDQA_CACHE",
    "MEDQA_MEDQUAD",
    "MEDQA_MMLU",
    "MEDQA_PUBLIC",
    "MEDQA_KEEP_QUESTIONS",
    "MEDQA_EMBEDDINGS",
    "MEDQA_LIBRARY",
    "MEDQA_JUDGE",
    "MEDQA_JUDGE_MODEL",
    "MEDQA_JUDGE_KEY",
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_defaults() -> None:
    settings = Settings.from_environment()
    assert settings.reports == PACKAGE_ROOT / "reports"
    assert settings.public is False
    assert settings.keep_questions is False
    assert settings.embeddings is None
    assert settings.library is None
    assert settings.cache.is_absolute()
    for found in (settings.medquad, settings.mmlu):
        assert found is None or found.exists()


def test_variables_are_read_when_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES[:4]:
        monkeypatch.setenv(name, str(tmp_path / name))
    settings = Settings.from_environment()
    assert settings.reports == tmp_path / "MEDQA_REPORTS"
    assert settings.cache == tmp_path / "MEDQA_CACHE"
    assert settings.medquad == tmp_path / "MEDQA_MEDQUAD"
    assert settings.mmlu == tmp_path / "MEDQA_MMLU"


def test_paths_are_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDQA_REPORTS", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MEDQA_CACHE", "~/there")
    settings = Settings.from_environment()
    assert settings.reports == tmp_path / "here"
    assert settings.cache == tmp_path / "there"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", "  ")
    assert Settings.from_environment().reports == PACKAGE_ROOT / "reports"


def test_an_embedding_model_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_LIBRARY", "leaflets")
    assert Settings.from_environment().library == Path("leaflets").absolute()
    monkeypatch.setenv("MEDQA_EMBEDDINGS", " owner/name ")
    assert Settings.from_environment().embeddings == "owner/name"


def test_the_home_of_an_unknown_user_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", "~no-such-user-here/runs")
    with pytest.raises(InputError, match="MEDQA_REPORTS"):
        Settings.from_environment()


@pytest.mark.parametrize("variable", ["MEDQA_PUBLIC", "MEDQA_KEEP_QUESTIONS"])
@pytest.mark.parametrize(
    ("value", "on"),
    [("1", True), ("true", True), ("YES", True), ("on", True), ("0", False), ("", False), ("no", False)],
)
def test_switches(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, on: bool) -> None:
    monkeypatch.setenv(variable, value)
    settings = Settings.from_environment()
    assert settings.public is (on and variable == "MEDQA_PUBLIC")
    assert settings.keep_questions is (on and variable == "MEDQA_KEEP_QUESTIONS")


def test_questions_are_not_kept_unless_the_host_says_so(tmp_path: Path) -> None:
    settings = Settings(reports=tmp_path, cache=tmp_path, medquad=None, mmlu=None, public=False)
    assert settings.keep_questions is False


def test_a_judge_and_its_key_which_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDQA_JUDGE", "MEDQA_JUDGE_MODEL", "MEDQA_JUDGE_KEY"):
        monkeypatch.setenv(name, f" {name.lower()}-value ")
    settings = Settings.from_environment()
    assert (settings.judge, settings.judge_model) == ("medqa_judge-value", "medqa_judge_model-value")
    assert settings.judge_key == "medqa_judge_key-value" and "medqa_judge_key-value" not in repr(settings)
