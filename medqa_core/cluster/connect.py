"""The connection to a Ray cluster that is already there. Nothing here starts one."""

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
from medqa_core.foundation.threads import thread_policy

INSTALL = "Ray is not installed here: pip install -r requirements-ray.txt"
HEAD = "node:__internal_head__"
"""The resource that Ray gives to the head node: the driver of a training runs where the cluster cannot lose it."""
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
        """Do nothing if the cluster as it is now has room for that many workers at a time.

        Raises:
            InputError: it has not; Ray itself would wait for nodes silently.
        """
        resources = self._ray.cluster_resources()
        for kind, each in (("CPU", cpus), ("GPU", gpus)):
            if workers * each > resources.get(kind, 0):
                raise InputError(
                    f"{workers} with {each} {kind} each are more than the {resources.get(kind, 0):g} {kind} of the "
                    "cluster's nodes.",
                    field="--workers",
                )

    def run(self, entry: str, request: dict[str, Any], on_poll: Callable[[], object]) -> None:
        """Call `MODULE:FUNCTION` with `request` on the head node and wait for it; `on_poll` every other second.

        Raises:
            ClusterFailed: it raised, or its node was lost.
        """
        call = self._ray.remote(num_cpus=0, max_retries=0, resources={HEAD: 0.001})(call_on_node)
        pending = [call.remote(entry, request)]
        while pending:
            done, pending = self._ray.wait(pending, timeout=POLL_SECONDS)
            on_poll()
        try:
            self._ray.get(done[0])
        except self._ray.exceptions.RayError as error:
            raise ClusterFailed(_last_line(error)) from error


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
                address,
                namespace="medqa",
                runtime_env={"env_vars": thread_policy()},  # Ray Train's workers import torch before medqa_core
                logging_level=logging.ERROR,
                log_to_driver=False,
                configure_logging=False,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise InputError(f"no Ray cluster answers at {shorten(address)}: {_line(error)}", field="--address") from error
    if threading.current_thread() is threading.main_thread():  # Ray's own would end the launcher at once
        signal.signal(signal.SIGTERM, handler)
    try:
        yield Cluster(ray)
    finally:
        ray.shutdown()


def call_on_node(entry: str, request: dict[str, Any]) -> None:
    """Runs on a node, where `entry` is imported: the launching side only names it."""
    module, _, function = entry.partition(":")
    getattr(importlib.import_module(module), function)(request)


def _last_line(error: Exception) -> str:
    """The last line of Ray's message: the exception on the node, without the traceback before it."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return shorten(lines[-1] if lines else type(cause).__name__, 300)


def _line(error: Exception) -> str:
    return shorten(str(error) or type(error).__name__, 200)
