"""What is added to a page's HTML, and what goes by untouched."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit import file_util

from pages.web.shell import Shell

MORE = "<style>.a{color:red}</style>"
INDEX = f"{file_util.get_static_dir()}/index.html"


async def index(_: Request) -> Response:
    return FileResponse(INDEX)


async def pieces(_: Request) -> Response:
    return StreamingResponse(iter([b"<body>a</bo", b"dy>"]), media_type="text/html")


async def fragment(_: Request) -> Response:
    return HTMLResponse("<p>no end</p>")


async def text(_: Request) -> Response:
    return PlainTextResponse("</body>")


async def missing(_: Request) -> Response:
    return HTMLResponse("</body>", status_code=404)


@pytest.fixture
def client() -> TestClient:
    there = {"/": index, "/pieces": pieces, "/fragment": fragment, "/text": text, "/qa/": index, "/missing": missing}
    inner = Starlette(routes=[Route(path, answer) for path, answer in there.items()])
    return TestClient(Shell(inner, lambda: MORE))


def test_streamlits_page_gets_it_last_in_its_body_and_says_its_new_length(client: TestClient) -> None:
    answer = client.get("/", headers={"range": "bytes=0-10"})
    assert answer.status_code == 200 and answer.text.count(MORE) == 1
    assert answer.text.rpartition(MORE)[2].strip() == "</body>\n</html>"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert not {"etag", "last-modified", "accept-ranges"} & set(answer.headers)


def test_a_page_in_pieces_is_put_together(client: TestClient) -> None:
    assert client.get("/pieces").text == f"<body>a{MORE}</body>"


@pytest.mark.parametrize("path", ["/fragment", "/text", "/qa/", "/missing"])
def test_anything_else_goes_by(path: str, client: TestClient) -> None:
    assert MORE not in client.get(path).text


def test_a_head_request_has_no_body(client: TestClient) -> None:
    assert client.head("/").content == b""
