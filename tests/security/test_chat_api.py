"""The chat API's doors: not there on a public demo, for no foreign page, for no foreign name, for no large request."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

import app
from medqa_core.answering.service import AnswerService
from medqa_core.foundation.settings import Settings
from pages.ask.chat_completions import chat_app
from pages.web.host_guard import Guard
from pages.web.lazy_mount import LazyMount
from pages.web.private_only import PrivateOnly
from pages.web.widget_guard import BODY_LIMIT

OWN = "http://localhost:8501"
ASKED = {"model": "smoke", "messages": [{"role": "user", "content": "What is gout?"}]}
ADDRESSES = [("GET", "/v1/models"), ("GET", "/v1/models/smoke"), ("POST", "/v1/chat/completions"), ("GET", "/v1/")]


class NoService:
    """Whoever reaches the models fails the test."""

    def __getattr__(self, name: str) -> Any:
        if name == "limits":
            return AnswerService.of(Settings.from_environment()).limits
        raise AssertionError(f"{name} was reached")


@pytest.fixture
def client(in_lab: Settings) -> Iterator[TestClient]:
    chat = chat_app(cast(AnswerService, NoService()))
    with TestClient(Guard(Starlette(routes=[Mount("/v1", app=PrivateOnly(chat))])), base_url=OWN) as found:
        yield found


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
def test_a_public_demo_does_not_have_it(method: str, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    mount = LazyMount(lambda: pytest.fail("it was built"))
    with TestClient(Starlette(routes=[Mount("/v1", app=PrivateOnly(mount))], lifespan=mount.lifespan)) as client:
        assert client.request(method, path, json=ASKED).status_code == 404


def test_the_app_mounts_it_behind_that_door() -> None:
    doors = [getattr(one, "app", None) for one in app.app._user_routes if getattr(one, "path", "") == "/v1"]
    assert [type(door) for door in doors] == [PrivateOnly]


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.test"}],
)
def test_pages_of_strangers_and_foreign_names_get_nothing(
    client: TestClient, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = client.request(method, path, json=ASKED, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_preflight_is_not_answered(client: TestClient) -> None:
    asked = {"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    assert client.options("/v1/chat/completions", headers=asked).status_code == 403


def test_a_large_request_is_not_read(client: TestClient) -> None:
    for size in (BODY_LIMIT + 1, 50 * BODY_LIMIT):
        answer = client.post("/v1/chat/completions", content=b" " * size)
        assert answer.status_code == 413
        assert answer.json()["error"]["message"] == "The request is larger than 1,024 KiB."


def test_other_addresses_and_methods_are_not_there(client: TestClient) -> None:
    assert client.get("/v1/files").status_code == 404
    assert client.post("/v1/files", json={}).json()["error"]["type"] == "invalid_request_error"
    assert client.get("/v1/chat/completions").status_code == 405
    assert client.delete("/v1/models/smoke").status_code == 405


def test_a_hostile_name_opens_nothing(lab: Settings, smoke: Any) -> None:
    service = AnswerService.of(replace(lab, public=False))
    with TestClient(chat_app(service), base_url=OWN) as client:
        for name in ("..", "../..", "/etc/passwd", "smoke/../smoke", "a\u0000b", "~", "%2e%2e", "smoke/base/base"):
            answer = client.post("/chat/completions", json={**ASKED, "model": name})
            assert answer.status_code == 404, name
            assert name not in answer.text or name == "~"
