"""The way to a Ray cluster that is already there. Nothing here starts one."""

import importlib
import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from medqa_core.foundation.errors import InputError, MedQAError, shorten

INSTALL = "Ray is not installed here: pip install -r requirements-ray.txt"
HEAD = "node:__internal_head__"
"""The resource that Ray gives to the head node: what drives a training stays where the cluster cannot lose it."""
POLL_SECONDS = 2.0


class RayMissing(MedQAError):
    """Ray is an extra that is not installed."""


class ClusterFailed(MedQAError):
    """The cluster could not do what it was given; the message says why."""


class Cluster:
    """A connection."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def refuse_too_much(self, workers: int, cpus: int, gpus: int) -> None:
        """Do nothing if the cluster as it is now can hold that many workers at a time.

        Raises:
            InputError: it cannot; Ray itself would wait for nodes without a word.
        """
        there = self._ray.cluster_resources()
        for kind, each in (("CPU", cpus), ("GPU", gpus)):
            if workers * each > there.get(kind, 0):
                raise InputError(
                    f"--workers: {workers} with {each} {kind} each are more than the {there.get(kind, 0):g} {kind} of "
                    "the cluster's nodes."
                )

    def run(self, entry: str, job: dict[str, Any], meanwhile: Callable[[], object]) -> None:
        """Call `MODULE:FUNCTION` with `job` on the head node and wait for it; `meanwhile` every other second.

        Raises:
            ClusterFailed: it raised, or its node went.
        """
        call = self._ray.remote(num_cpus=0, max_retries=0, resources={HEAD: 0.001})(on_node)
        pending = [call.remote(entry, job)]
        while pending:
            done, pending = self._ray.wait(pending, timeout=POLL_SECONDS)
            meanwhile()
        try:
            self._ray.get(done[0])
        except self._ray.exceptions.RayError as error:
            raise ClusterFailed(_in_words(error)) from error


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """A connection to the cluster at `address` while the block runs.

    Raises:
        RayMissing: Ray is not installed.
        InputError: there is no cluster at that address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as error:
        raise RayMissing(INSTALL) from error
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong is raised as well
            ray.init(
                address, namespace="medqa", logging_level=logging.ERROR, log_to_driver=False, configure_logging=False
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"--address: no Ray cluster answers at {shorten(address)}: {_line(error)}") from error
    if threading.current_thread() is threading.main_thread():  # Ray's own would end the launcher at once
        signal.signal(signal.SIGTERM, handler)
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def on_node(entry: str, job: dict[str, Any]) -> None:
    """Runs on a node, where `entry` is imported: the launching side names what is done there and loads none of it."""
    module, _, function = entry.partition(":")
    getattr(importlib.import_module(module), function)(job)


def _in_words(error: Exception) -> str:
    """The last line of what Ray says, which is the exception on the node and not the way to it."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return shorten(lines[-1] if lines else type(cause).__name__, 300)


def _line(error: Exception) -> str:
    return shorten(str(error) or type(error).__name__, 200)
