"""A run store that pages read, a builder of runs in it, and a way to open a page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.support.pages import MAIN, Open
from tests.support.runs import RunBuilder
from tests.support.scenarios import SHOWN


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store that the app reads."""
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setenv("MEDQA_REPORTS", str(folder))
    monkeypatch.delenv("MEDQA_MEDQUAD", raising=False)
    return folder


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    yield
    st.cache_resource.clear()


@pytest.fixture
def open_page(reports: Path) -> Open:
    """Open a page as a visitor does, through the shell; `address` is the query."""

    def go(page: str, /, **address: str) -> AppTest:
        app = AppTest.from_file(MAIN, default_timeout=20)
        for name, value in address.items():
            app.query_params[name] = value
        return app.switch_page(page).run()

    return go


@pytest.fixture
def build(reports: Path) -> RunBuilder:
    """A builder of the runs that pages show."""
    return RunBuilder(reports, SHOWN)
