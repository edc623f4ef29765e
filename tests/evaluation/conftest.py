"""Each test measures the base itself."""

import pytest


@pytest.fixture(autouse=True)
def _measured_anew(own_memory: None) -> None: ...
