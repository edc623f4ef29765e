"""The two doors by themselves: names, origins, addresses, sizes, streams, in front of an app that says yes to all."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from pages.web.host_guard import Guard, content_policy, is_allowed
from pages.web.widget_guard import BODY_LIMIT, READ, STREAMS, AskGuard

OWN = "http://localhost:8501"
JOIN = "/qa/gradio_api/queue/join"


async def yes(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes arrived")


async def greet(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEDQA_HOSTS", "MEDQA_FRAMES", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client() -> Iterator[TestClient]:
    everything = Route("/{path:path}", yes, methods=["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
    widget = AskGuard(Starlette(routes=[everything]))
    inner = Starlette(routes=[WebSocketRoute("/_stcore/stream", greet), Mount("/qa", app=widget), everything])
    with TestClient(Guard(inner), base_url=OWN) as found:
        yield found


NAMES = ("localhost", "LOCALHOST:8501", "localhost.", "a.localhost", "127.0.0.1", "127.0.0.1:1", "[::1]:8501", "[::1]")
OTHER = (
    *("", ":8501", "evil.test", "evil.test:8501", "localhost.evil.test", "127.0.0.1.evil.test", "localhost@evil.test"),
    *("evil.test/localhost", "localhost:evil.test", "localhost:8501 evil.test", "[::1].evil.test", "[evil.test]"),
    *("localhost\x00.evil.test", "loc\u0430lhost", "2130706433x", "localhost, evil.test", "::1]", "[::1", "*"),
)


@pytest.mark.parametrize("host", NAMES)
def test_this_machines_own_names_and_addresses_are_answered(host: str) -> None:
    assert is_allowed(host, ())


@pytest.mark.parametrize("host", OTHER)
def test_any_other_name_is_not(host: str) -> None:
    assert not is_allowed(host, ())
    assert not is_allowed(host, ("lab.example.org", "*.example.net"))


def test_names_that_the_host_allows() -> None:
    assert is_allowed("lab.example.org:443", ("lab.example.org",))
    assert is_allowed("a.example.net", ("*.example.net",)) and not is_allowed("aexample.net", ("*.example.net",))
    assert not is_allowed("b.lab.example.org", ("lab.example.org",))
    assert is_allowed("anything.test", ("*",))


def test_a_rebound_name_is_refused_on_pages_and_websockets(client: TestClient) -> None:
    for path in ("/", "/qa/", "/_stcore/health"):
        answer = client.get(path, headers={"Host": "evil.test"})
        assert answer.status_code == 403 and "MEDQA_HOSTS" in answer.text
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("ws://localhost:8501/_stcore/stream", headers={"Host": "evil.test"}),
    ):
        pass


def test_the_refusal_repeats_no_foreign_characters(client: TestClient) -> None:
    said = client.get("/", headers={b"Host": b"\xe2\x80\xae\x1b[31m<b>"}).text
    assert said.isascii() and "\x1b" not in said and "\\x" in said


def test_hosts_and_frames_come_from_the_environment(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_HOSTS", "lab.example.org, *.example.net")
    monkeypatch.setenv("MEDQA_FRAMES", "https://example.com")
    monkeypatch.setenv("SPACE_ID", "owner/space")
    answer = client.get("/", headers={"Host": "lab.example.org"})
    assert answer.status_code == 200
    ancestors = answer.headers["content-security-policy"].partition("frame-ancestors ")[2]
    assert ancestors == "'self' https://example.com https://huggingface.co"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MEDQA_HOSTS", "a b/c"),
        ("MEDQA_HOSTS", "http://a.test"),
        ("MEDQA_FRAMES", "example.com"),
        ("MEDQA_FRAMES", "https://a.test;"),
        ("MEDQA_FRAMES", "*"),
        ("MEDQA_FRAMES", "https://a.test/x"),
    ],
)
def test_what_is_no_name_and_no_site_is_said(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=variable):
        Settings.from_environment()


@pytest.mark.parametrize("path", ["/", "/qa/", "/static/x.js", "/qa/gradio_api/upload", "/_stcore/upload_file/a/b"])
def test_every_answer_carries_the_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
    assert headers["content-security-policy"] == content_policy(())
    assert "frame-ancestors 'self'" in content_policy(()) and "http" not in content_policy(())


def test_a_websocket_of_the_app_itself_opens(client: TestClient) -> None:
    with client.websocket_connect("ws://localhost:8501/_stcore/stream") as socket:
        assert socket.receive_text() == "hello"


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/_stcore/upload_file/session/file", "/base/_stcore/upload_file/s/f"])
def test_nothing_can_be_uploaded_to_a_public_demo(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    assert client.request(method, path, content=b"x").status_code == 403


def test_an_upload_states_its_size_and_is_not_too_large(client: TestClient) -> None:
    path = "/_stcore/upload_file/session/file"
    assert client.put(path, content=b"x").status_code == 200
    assert client.delete(path).status_code == 200
    assert client.put(path, content=iter([b"x"])).status_code == 403
    assert client.put(path, content=b"x", headers={"content-length": str(3 * 2**30)}).status_code == 403


FOREIGN = (
    {"Origin": "https://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "http://localhost.evil.test:8501"},
    {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.test", "Sec-Fetch-Site": "same-origin"},
)


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", [JOIN, "/qa/gradio_api/call/compare", "/qa/gradio_api/run/predict"])
def test_a_page_of_another_origin_can_ask_nothing(client: TestClient, path: str, headers: dict[str, str]) -> None:
    assert client.post(path, headers=headers, json={}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": OWN}, {"Origin": OWN, "Sec-Fetch-Site": "same-origin"},
     {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}],
)  # fmt: skip
def test_its_own_pages_and_programs_can(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(JOIN, headers=headers, json={}).status_code == 200


REFUSED = (
    *("/upload", "/upload/", "/file=/etc/passwd", "/file/etc/passwd", "/file=http://a.test", "/proxy=http://a.test"),
    *(
        "/deep_link?session_hash=a",
        "/component_server",
        "/process_recording",
        "/vibe-edit",
        "/vibe-code",
        "/dev/reload",
    ),
    *("/upload_progress?upload_id=a", "/custom_component/a/client/b/c", "/stream/a/b/c/playlist.m3u8", "/stream/a"),
    *("/run/compare", "/api/compare", "/api/predict", "/runs", "/run-history/connect", "/profiling/traces", "/token"),
    *("/mcp/sse", "/%2e%2e/upload", "//upload", "/UPLOAD", "/call/%2e%2e/upload"),
)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_gradios_other_addresses_are_not_there(client: TestClient, method: str) -> None:
    for path in (*(f"/qa/gradio_api{one}" for one in REFUSED), "/qa/login", "/qa/monitoring/summary"):
        assert client.request(method, path).status_code == 404, path


@pytest.mark.parametrize(
    "path", ["/static/x\x00", "/static/a\\b", "/assets/ü", "/static/", "/assets/a b", "/static/%2e", "/static/../x"]
)
def test_parts_of_a_page_have_plain_names(path: str) -> None:
    assert not READ.fullmatch(path)


def test_a_large_request_is_not_read(client: TestClient) -> None:
    assert client.post(JOIN, content=b"x" * BODY_LIMIT).text == f"{BODY_LIMIT} bytes arrived"
    assert client.post(JOIN, content=b"x" * (BODY_LIMIT + 1)).status_code == 413
    for declared in ("9" * 20, "-1", "1e3", str(BODY_LIMIT + 1)):
        assert client.post(JOIN, content=b"x", headers={"Content-Length": declared}).status_code == 413


def test_a_large_request_that_does_not_say_so_is_not_read_to_its_end(client: TestClient) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(64):
            sent += 1
            yield b"x" * (BODY_LIMIT // 4)

    assert client.post(JOIN, content=pieces()).status_code == 413


def test_streams_of_one_visitor_are_counted_and_let_go() -> None:
    release = asyncio.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await release.wait()
        await send({"type": "http.response.body", "body": b""})

    guard = AskGuard(endless)

    async def listen(visitor: str) -> int:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope: dict[str, Any] = {
            "type": "http", "method": "GET", "path": "/gradio_api/queue/data", "root_path": "", "query_string": b"",
            "client": ("127.0.0.1", 1), "headers": [(b"host", b"localhost"), (b"x-forwarded-for", visitor.encode())],
        }  # fmt: skip
        await guard(scope, receive, send)
        return int(sent[0]["status"])

    async def crowd() -> tuple[list[int], int, int, int]:
        first = [asyncio.create_task(listen("203.0.113.1")) for _ in range(STREAMS)]
        await asyncio.sleep(0)
        one_more = await listen("203.0.113.1")
        other = asyncio.create_task(listen("203.0.113.2"))
        await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*first), one_more, await other, await listen("203.0.113.1")

    assert asyncio.run(crowd()) == ([200] * STREAMS, 429, 200, 200)
    assert not guard._open, "whoever has left is forgotten"
