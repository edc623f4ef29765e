"""The first page has one address."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from pages.web.addresses import first_page


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [("/summary", "./"), ("/summary?run=a%20b&x=%0d%0aSet-Cookie:y", "./?run=a%20b&x=%0d%0aSet-Cookie:y")],
)
def test_the_summarys_own_address_leads_to_the_first_page(asked: str, led_to: str) -> None:
    client = TestClient(Starlette(routes=[Route("/summary", first_page)]))
    answer = client.get(asked, follow_redirects=False)
    assert answer.status_code == 307 and answer.headers["location"].lower() == led_to.lower()
    assert "set-cookie" not in answer.headers
