"""How threads wait for each other: asleep. One policy for every process, set before an OpenMP runtime is loaded.

torch, oneDNN, MKL and CTranslate2 share out each operation among threads that meet at its end. GNU's runtime, which
all of them use on Linux, lets a thread that waits spin for 300,000 turns (6 ms and more) before it sleeps. On a machine
that does nothing else that saves the waking up. Beside one other busy process the thread that spins takes the core that
the thread it waits for should run on, at each of the thousands of meetings of a training step.
`benchmarks/busy.py` measures both cases; docs/decisions/0024 has the figures.
"""

import os
from collections.abc import Mapping, MutableMapping

POLICY = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Heeded by GNU's runtime, LLVM's and Intel's; more specific variables (`SPECIFIC`) win over it in each of them."""
SPECIFIC = ("GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""How long a thread spins, for GNU's and for LLVM's and Intel's runtime; of these only what a person has set."""


def set_thread_policy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait sleep, here and in every process started from here. What is set already stays.

    OpenMP reads the variables once, when it is loaded: `medqa_core` calls this before anything else of it is imported.
    """
    for name, value in POLICY.items():
        if not environment.get(name):
            environment[name] = value


def thread_policy(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that decide how threads wait, as they are set."""
    return {name: environment[name] for name in (*POLICY, *SPECIFIC) if environment.get(name)}


def may_spin(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether threads that wait may keep a core busy: only where a person asked for it by OMP_WAIT_POLICY=ACTIVE.

    For engines with threads of their own, which no variable reaches.
    """
    return environment.get("OMP_WAIT_POLICY", "").strip().upper() == "ACTIVE"
