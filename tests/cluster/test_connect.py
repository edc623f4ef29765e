"""The connection to a cluster, without one: what Ray is told."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from medqa_core.cluster.connect import connected


def test_workers_on_the_nodes_wait_as_this_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """They import torch before medqa_core, so the variables have to come with Ray."""
    told: dict[str, Any] = {}
    ray = SimpleNamespace(init=lambda address, **options: told.update(options), shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    with connected("auto"):
        assert told["runtime_env"]["env_vars"]["OMP_WAIT_POLICY"] == "ACTIVE"
