"""The one fixture of these tests."""

from pathlib import Path

import pytest

from tests.report.report_builder import Builder


@pytest.fixture
def build(tmp_path: Path) -> Builder:
    """A builder on an empty store."""
    return Builder(tmp_path / "reports")
