"""A server that is told to end ends, whatever streams are open."""

import asyncio
import os
import signal
import socket
import threading
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from http.client import IncompleteRead
from types import FrameType

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from pages.web.ending import at_the_end


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """Signals that come through to the process: uvicorn raises again what it took."""
    found: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        found.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def served(number: signal.Signals, *, ends: bool) -> tuple[bytes, list[str]]:
    """A server of one stream that stays open until it is told of the end, or (`ends` false) for ever.

    Returns what a reader got when the server, sent signal `number` while it read, had ended; and what happened.
    """
    events: list[str] = []
    over = asyncio.Event()
    got: list[bytes] = []

    def told() -> None:
        events.append("told")
        if ends:
            over.set()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        with at_the_end(told, grace=0.3):
            yield
        events.append("closed")

    async def stream(_: Request) -> StreamingResponse:
        async def beats() -> AsyncIterator[bytes]:
            yield b"alive"
            await over.wait()
            yield b" over"

        return StreamingResponse(beats())

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def read() -> None:
            try:
                with urllib.request.urlopen(address, timeout=20) as response:
                    got.append(response.read1(5))
                    os.kill(os.getpid(), number)
                    got.append(response.read())
            except (OSError, IncompleteRead):
                events.append("cut")

        app = Starlette(routes=[Route("/", stream)], lifespan=lifespan)
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listener])
        reader.join(10)
    return b"".join(got), events


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_that_waits_for_the_end_is_told_at_the_signal(number: signal.Signals, heard: list[int]) -> None:
    got, events = served(number, ends=True)
    assert (got, events) == (b"alive over", ["told", "closed"])
    assert heard == [number]


def test_a_stream_that_does_not_end_is_left_after_the_grace(heard: list[int]) -> None:
    got, events = served(signal.SIGTERM, ends=False)
    assert (got, events) == (b"alive", ["told", "cut"])
    assert heard == [signal.SIGTERM]


def test_outside_the_main_thread_no_signal_is_touched() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def elsewhere() -> None:
        with at_the_end(lambda: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]
