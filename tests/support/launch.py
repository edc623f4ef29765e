"""Commands that several processes on a CPU run together."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings


def launch(
    processes: int, settings: Settings, store: Path, *words: str, sharded: bool = False, script: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `medqa WORDS` in so many processes under torchrun, with a run store of its own.

    `sharded`: with what `accelerate launch --use_fsdp` sets. `script`: takes the place of `medqa`.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    command += ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    command += [*(["-m", "medqa_core"] if script is None else [str(script)]), *words]
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE_ROOT),
        "MEDQA_REPORTS": str(store),
        "MEDQA_CACHE": str(settings.cache),
        "ACCELERATE_USE_CPU": "true",
        "ACCELERATE_USE_FSDP": str(sharded).lower(),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(command, cwd=PACKAGE_ROOT, env=environment, capture_output=True, text=True, check=False)
