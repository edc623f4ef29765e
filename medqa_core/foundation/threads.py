"""How threads wait for each other: a few microseconds awake, then asleep. One policy for every process.

torch, oneDNN and MKL share out each operation among threads that meet at its end. GNU's OpenMP runtime,
which all of them use on Linux, lets a thread that waits spin for 300,000 turns (6 ms and more) before it sleeps. On a
machine that does nothing else that saves the waking up. Beside one other busy process the thread that spins takes the
core that the thread it waits for should run on, at each of the thousands of meetings of a training step.
`benchmarks/busy.py` measures both cases; decision 24 has the figures.
"""

import os
from collections.abc import Mapping, MutableMapping

POLICY = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "300"}
"""`PASSIVE` lets threads sleep at once in LLVM's and Intel's runtime. GNU's puts its own variable first: 300 turns are
6 to 20 microseconds on x86, about what waking a thread takes, so that spinning costs no more than it can save."""
OTHERS = ("KMP_BLOCKTIME",)
"""What else decides how long a thread spins: LLVM's and Intel's variable, which wins over the first one there."""


def set_thread_policy(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set how threads wait, here and in every process started from here. What a person has set stays.

    OpenMP reads the variables once, when it is loaded: `medqa_core` calls this before anything that loads it.
    """
    if environment.get("OMP_WAIT_POLICY"):
        return  # GOMP_SPINCOUNT would win over it
    for name, value in POLICY.items():
        if not environment.get(name):
            environment[name] = value


def thread_policy(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables that decide how threads wait, as they are set."""
    return {name: environment[name] for name in (*POLICY, *OTHERS) if environment.get(name)}
