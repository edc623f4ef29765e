"""The server's end: what waits for it is told at the signal, since the server in turn waits for it."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 5.0
"""Seconds that answers which are being written may take until the server no longer waits for them."""


@contextmanager
def at_the_end(end: Callable[[], None], grace: float = GRACE) -> Iterator[None]:
    """Within it Ctrl-C and SIGTERM also call `end` in the running event loop.

    uvicorn closes its listeners, waits until no response is open, and ends the lifespan last. A stream that is open
    until the lifespan ends, as the widget's heartbeat is, would keep the server up for ever; `grace` seconds later it
    goes without those that are open still.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    found = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in found.items() if callable(handler)}

    def force() -> None:
        for handler in before.values():
            server = getattr(handler, "__self__", None)
            if isinstance(server, uvicorn.Server):
                server.force_exit = True

    def ending() -> None:
        end()
        loop.call_later(grace, force)

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(ending)
        before[signal.Signals(number)](number, frame)

    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
