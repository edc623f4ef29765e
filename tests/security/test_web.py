"""The app as it is served, asked over plain sockets: what a foreign page, a foreign name and a stranger get from it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from pages.web.widget_guard import BODY_LIMIT, READ, STREAMS, WRITE

pytestmark = pytest.mark.reliability
ROOT = Path(__file__).parents[2]
ROUTES = """
import json
from starlette.routing import Mount
from pages.ask.widget import build
def flat(routes):
    for route in routes:
        inner = getattr(route, "original_router", None)  # how fastapi keeps a router that was included
        yield from flat(inner.routes) if inner is not None else [route]
gradio = next(route for route in build().routes if isinstance(route, Mount)).app
print(json.dumps([[route.path, sorted(getattr(route, "methods", None) or ["GET"])] for route in flat(gradio.routes)]))
"""
REACHABLE = {
    *("GET /", "GET /config", "GET /theme.css", "GET /favicon.ico", "GET /robots.txt", "GET /manifest.json"),
    *("GET /static/{path:path}", "GET /assets/{path:path}", "GET /svelte/{path:path}"),
    *("GET /gradio_api/info", "GET /gradio_api/openapi.json", "GET /gradio_api/theme.css", "GET /gradio_api/app_id"),
    *("GET /gradio_api/login_check", "GET /gradio_api/user", "GET /gradio_api/startup-events"),
    *("GET /gradio_api/queue/data", "GET /gradio_api/queue/status", "GET /gradio_api/heartbeat/{session_hash}"),
    *("GET /gradio_api/call/{api_name}/{event_id}", "GET /gradio_api/call/v2/{api_name}/{event_id}"),
    *("POST /gradio_api/call/{api_name}", "POST /gradio_api/call/v2/{api_name}", "POST /gradio_api/run/{api_name}"),
    *("POST /gradio_api/queue/join", "POST /gradio_api/cancel", "POST /gradio_api/reset"),
}
"""Every address of Gradio that can be asked. SECURITY.md says why each is harmless."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`streamlit run app.py` as it is started by hand, on an empty store."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("web")
    unset = ("MEDQA_HOSTS", "MEDQA_FRAMES", "MEDQA_PUBLIC", "SPACE_ID", "STREAMLIT_SERVER_ADDRESS")
    environment = {k: v for k, v in os.environ.items() if k not in unset} | {"MEDQA_REPORTS": str(folder)}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with (
        open(folder / "log", "wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                if httpx.get(f"{url}/qa/", timeout=60).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url
        process.terminate()


@pytest.fixture
def http(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=30) as client:
        yield client


def test_it_listens_on_this_machine_only(server: str) -> None:
    port = int(server.rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: tells which address this machine has to others
            own = probe.getsockname()[0]
        except OSError:
            pytest.skip("this machine has no address but its own")
    if own.startswith("127."):
        pytest.skip("this machine has no address but its own")
    with socket.socket() as other:
        other.settimeout(3)
        assert other.connect_ex((own, port)) != 0


@pytest.mark.parametrize("path", ["/", "/ask", "/_stcore/health", "/qa/", "/qa/config", "/static/favicon.png"])
def test_a_rebound_name_gets_nothing(http: httpx.Client, path: str) -> None:
    assert http.get(path, headers={"Host": "evil.test"}).status_code == 403
    assert http.get(path, headers={"Host": "localhost"}).status_code < 500


@pytest.mark.parametrize("path", ["/", "/qa/", "/qa/config", "/qa/theme.css", "/_stcore/host-config"])
def test_the_headers_are_on_pages_of_both_kinds(http: httpx.Client, path: str) -> None:
    answer = http.get(path)
    assert answer.status_code == 200
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in http.get(path, headers={"Origin": "https://evil.test"}).headers


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://localhost:1"}]
)
def test_a_foreign_page_asks_nothing(http: httpx.Client, headers: dict[str, str]) -> None:
    for path in ("queue/join", "call/compare", "run/predict", "cancel"):
        assert http.post(f"/qa/gradio_api/{path}", json={}, headers=headers).status_code == 403


def test_the_websocket_is_for_its_own_pages(server: str) -> None:
    address = server.replace("http", "ws") + "/_stcore/stream"
    with connect(address, origin=Origin(server)):
        pass
    with pytest.raises(InvalidStatus) as refused, connect(address, origin=Origin("https://evil.test")):
        pass
    assert refused.value.response.status_code == 403
    port = int(server.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port)) as line,  # as if the name led here
        pytest.raises(InvalidStatus) as refused,
        connect("ws://evil.test/_stcore/stream", origin=Origin("http://evil.test"), sock=line, proxy=None),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_nothing_can_be_uploaded_or_read_by_path(http: httpx.Client) -> None:
    files = {"files": ("x.txt", b"x")}
    assert http.post("/qa/gradio_api/upload", files=files).status_code == 404
    assert http.put("/_stcore/upload_file/a/b", files=files).status_code == 403
    for path in ("file=/etc/passwd", "file=pages/main.py", "file=http://127.0.0.1:1/", "proxy=http://127.0.0.1:1/"):
        assert http.get(f"/qa/gradio_api/{path}").status_code == 404
    for path in ("/qa/static/..%2f..%2froutes.py", "/qa/assets/%2e%2e/routes.py", "/static/..%2f..%2fx", "/app.py"):
        answer = http.get(path)
        assert answer.status_code >= 400 or "import" not in answer.text[:2000] or "<!doctype" in answer.text.lower()


def test_every_address_that_gradio_serves_is_known() -> None:
    done = subprocess.run([sys.executable, "-c", ROUTES], cwd=ROOT, capture_output=True, text=True, check=True)
    filled = {"path": "a/b.js", "session_hash": "abc", "event_id": "abc", "api_name": "compare"}
    reachable: set[str] = set()
    shut: set[str] = set()
    for route, methods in json.loads(done.stdout.strip().splitlines()[-1]):
        path = route.rstrip("/") or "/"
        name = "predict" if "/run/" in path else "compare"
        asked = path.replace("{path:path}", filled["path"]).replace("{api_name}", name)
        for part in ("session_hash", "event_id"):
            asked = asked.replace(f"{{{part}}}", filled[part])
        for method in methods:
            pattern = {"GET": READ, "POST": WRITE}.get(method)
            if method != "HEAD":
                (reachable if pattern and pattern.fullmatch(asked) else shut).add(f"{method} {path}")
    assert reachable == REACHABLE
    assert {"POST /gradio_api/upload", "GET /gradio_api/deep_link", "POST /gradio_api/component_server"} <= shut


def test_a_question_cannot_pass_by_the_queue(http: httpx.Client) -> None:
    asked = {"data": ["What is gout?", "", 0, 4, 1, "float32", False]}
    assert http.post("/qa/gradio_api/run/compare", json=asked).status_code == 404
    functions = http.get("/qa/config").json()["dependencies"]
    queued = [one["id"] for one in functions if one["queue"] is not False]
    assert len(queued) >= 2
    for number in queued:
        body = {"data": [], "fn_index": number, "session_hash": "abc"}
        assert http.post("/qa/gradio_api/run/predict", json=body).status_code == 404


def test_a_large_request_is_refused(http: httpx.Client) -> None:
    assert http.post("/qa/gradio_api/queue/join", content=b"x" * (BODY_LIMIT + 1)).status_code == 413


def test_streams_are_bounded(server: str) -> None:
    address = f"{server}/qa/gradio_api/heartbeat/"
    with ExitStack() as opened:
        client = opened.enter_context(httpx.Client(timeout=30, limits=httpx.Limits(max_connections=100)))
        statuses = [
            opened.enter_context(client.stream("GET", f"{address}s{n}")).status_code for n in range(STREAMS + 1)
        ]
    assert statuses == [200] * STREAMS + [429]
    time.sleep(1)
    with httpx.stream("GET", f"{address}again", timeout=30) as answer:
        assert answer.status_code == 200, "closed streams are let go"
