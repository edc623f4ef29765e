"""Streamlit's own files without its pool of threads: the same bytes under the same names, and nothing else."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit import file_util

from pages.web import own_files
from pages.web.own_files import FOREVER, OwnFiles

SCRIPT = next(iter(sorted(Path(file_util.get_static_dir(), "static", "js").glob("index.*.js"))))


async def streamlit(_: Request) -> PlainTextResponse:
    return PlainTextResponse("Streamlit's answer")


@pytest.fixture
def client() -> TestClient:
    inner = Starlette(routes=[Route("/{path:path}", streamlit, methods=["GET", "POST"])])
    return TestClient(OwnFiles(inner), base_url="http://localhost")


def test_a_file_is_answered_whole_and_kept_by_the_browser(client: TestClient) -> None:
    answer = client.get(f"/static/js/{SCRIPT.name}")
    assert answer.content == SCRIPT.read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == FOREVER


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/static/js",
        "/static/js/none.js",
        "/static/../index.html",
        "/static/js/..%2f..%2f..%2fapp_util.py",
        f"//static/js/{SCRIPT.name}",
        f"/static//js/{SCRIPT.name}",
        f"/static/JS/{SCRIPT.name}",
        "/static/js/%00",
    ],
)
def test_whatever_is_not_one_of_its_names_is_left_to_streamlit(path: str, client: TestClient) -> None:
    assert client.get(path).text == "Streamlit's answer"
    assert client.post(f"/static/js/{SCRIPT.name}").text == "Streamlit's answer"


def test_a_file_that_went_away_or_grew_is_left_to_streamlit(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large.js").write_bytes(b"12345")
    known = {"/static/js/large.js": tmp_path / "large.js", "/static/js/gone.js": tmp_path / "gone.js"}
    monkeypatch.setattr(own_files, "_names", lambda: known)
    assert client.get("/static/js/large.js").text == "12345"
    monkeypatch.setattr(own_files, "AT_ONCE", 4)
    for path in known:
        assert client.get(path).text == "Streamlit's answer"
