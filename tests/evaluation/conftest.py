"""Each test measures the base itself: what it said in another test does not count."""

from pathlib import Path

import pytest

from medqa_core.evaluation import base_memory


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory of the base that begins empty, outside of the cache that tests share."""
    monkeypatch.setattr(base_memory, "FOLDER", str(tmp_path / "base-answers"))
