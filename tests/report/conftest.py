"""The one fixture of these tests."""

from pathlib import Path

import pytest

from tests.support.runs import RunBuilder
from tests.support.scenarios import REPORTED


@pytest.fixture
def build(tmp_path: Path) -> RunBuilder:
    """A builder on an empty store."""
    return RunBuilder(tmp_path / "reports", REPORTED)
