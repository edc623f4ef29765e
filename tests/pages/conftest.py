"""A run store that pages read, a builder of runs in it, and a way to open a page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from tests.support.pages import Open, visit
from tests.support.runs import RunBuilder
from tests.support.scenarios import SHOWN


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store that the app reads."""
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setenv("MEDQA_REPORTS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    yield
    st.cache_resource.clear()


@pytest.fixture
def open_page(reports: Path) -> Open:
    """See `visit`."""
    return visit


@pytest.fixture
def build(reports: Path) -> RunBuilder:
    """A builder of the runs that pages show."""
    return RunBuilder(reports, SHOWN)
