"""SECURITY.md names tests that exist, and says what the code does."""

import re

from medqa_core.answering.admission import QUESTIONS, WAITING, WINDOW_SECONDS
from medqa_core.foundation.settings import PACKAGE_ROOT
from pages.web.widget_guard import BODY_LIMIT, STREAMS

SECURITY = (PACKAGE_ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)`(\*?)", SECURITY)


def test_every_test_that_it_names_exists() -> None:
    assert len(NAMED) > 10
    for path, _ in NAMED:
        text = (PACKAGE_ROOT / path).read_text(encoding="utf-8")
        assert "def test_" in text, path


def test_every_test_of_a_boundary_is_named() -> None:
    there = {path.name for path in (PACKAGE_ROOT / "tests" / "security").glob("test_*.py")}
    assert there == {path.rpartition("/")[2] for path, _ in NAMED if path.startswith("tests/security/")}


def test_an_asterisk_means_that_some_of_it_runs_with_make_reliability() -> None:
    for path, star in NAMED:
        marked = "mark.reliability" in (PACKAGE_ROOT / path).read_text(encoding="utf-8")
        assert marked == bool(star), path


def test_the_limits_that_it_names_are_those_of_the_code() -> None:
    assert BODY_LIMIT == 2**20 and "above 1 MiB" in SECURITY
    assert f"{STREAMS} open streams" in SECURITY and f"more than {WAITING}\n  waiting" in SECURITY
    assert f"{QUESTIONS} questions in {WINDOW_SECONDS // 60} minutes" in SECURITY


def test_it_is_short_and_its_links_lead_somewhere() -> None:
    assert len(SECURITY.splitlines()) < 120
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", SECURITY):
        assert (PACKAGE_ROOT / target).exists(), target
