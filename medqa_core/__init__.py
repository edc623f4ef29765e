"""MedQA Lab's core: what the program knows. A notebook finds runs by `list_runs()` and reads one by `open_run(id)`."""

import importlib
import os
from typing import Any

from medqa_core.foundation.threads import set_thread_policy

__version__ = "0.2.0"

# Before any of these libraries is imported, or they have read the variables already. Who sets them otherwise is heard.
for _name, _value in (("DO_NOT_TRACK", "1"), ("HF_HUB_DISABLE_TELEMETRY", "1"), ("GRADIO_ANALYTICS_ENABLED", "False")):
    os.environ.setdefault(_name, _value)
set_thread_policy()

_LIBRARY = ("OpenRun", "list_runs", "open_run")


def __getattr__(name: str) -> Any:
    """The library, imported when it is first asked for: commands and the app need none of it, and it takes a second."""
    if name in _LIBRARY:
        return getattr(importlib.import_module("medqa_core.library"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LIBRARY})
