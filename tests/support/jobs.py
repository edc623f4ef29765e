"""Workers that are real processes but do next to nothing, and how to wait for what they do."""

import time
from collections.abc import Callable

from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.runs.schema.estimate import Estimate, Range

SLEEP = "import time; time.sleep(60)"
TRAINS = f"""
import sys, time; sys.path.insert(0, {str(PACKAGE_ROOT)!r})
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import RunStore
from medqa_core.runs.status_writer import StatusWriter
run = RunStore(Settings.from_environment().reports).open(sys.argv[1])
with StatusWriter(run.folder) as status:
    status.update(step=3, total_steps=10)
    print("training", flush=True)
    time.sleep(60)
"""
"""A worker that says that it trains."""
DIES = "import sys; print('no such thing as', sys.argv[1]); sys.exit(3)"
"""A worker that ends before it has said anything."""
ESTIMATE = Estimate(
    device="cpu", steps=12, tokens=900, truncated_share=0.25, measured_steps=3, tokens_per_second=300.0,
    train_seconds=Range(low=2, middle=3, high=4), memory=2**30, memory_total=2**34,
)  # fmt: skip


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
