"""The widget's place holder: nothing is built before it is asked for, and a fault stays where it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from pages.web.lazy_mount import NOT_THERE, LazyMount


def make(events: list[str]) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        events.append("opened")
        yield
        events.append("closed")

    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    events.append("built")
    return Starlette(routes=[Route("/", hello)], lifespan=lifespan)


def test_built_once_on_the_first_request_and_closed_with_the_parent() -> None:
    events: list[str] = []
    mount = LazyMount(lambda: make(events))
    parent = Starlette(routes=[Mount("/qa", app=mount)], lifespan=mount.lifespan)
    with TestClient(parent) as client:
        assert events == []
        assert client.get("/qa/").text == "hello" and client.get("/qa/").text == "hello"
        assert events == ["built", "opened"]
    assert events == ["built", "opened", "closed"]


def test_a_fault_is_a_plain_503_and_the_next_request_tries_again() -> None:
    tries: list[int] = []

    def build() -> Starlette:
        tries.append(1)
        if len(tries) == 1:
            raise ImportError("no widget yet")
        return make([])

    mount = LazyMount(build)
    parent = Starlette(routes=[Mount("/qa", app=mount)], lifespan=mount.lifespan)
    with TestClient(parent) as client:
        answer = client.get("/qa/")
        assert (answer.status_code, answer.text) == (503, NOT_THERE.format("The question widget"))
        assert client.get("/qa/").text == "hello"


def test_two_first_requests_at_once_build_one() -> None:
    events: list[str] = []
    mount = LazyMount(lambda: make(events))

    async def ask() -> int:
        sent: list[dict[str, object]] = []

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "root_path": ""}
        await mount(scope, receive, send)  # type: ignore[arg-type]
        return int(str(sent[0]["status"]))

    async def both() -> list[int]:
        async with mount.lifespan(None):
            return list(await asyncio.gather(ask(), ask()))

    assert asyncio.run(both()) == [200, 200]
    assert events == ["built", "opened", "closed"]
