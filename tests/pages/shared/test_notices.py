"""Messages of last resort, and that Streamlit finds the app."""

from pathlib import Path

from streamlit.testing.v1 import AppTest
from streamlit.web.server.app_discovery import discover_asgi_app

ROOT = Path(__file__).parents[3]
FAULT = """
from pages.web.failed import page_failed
assert page_failed(ValueError("secret detail"))
"""


def test_a_fault_shows_a_sentence_and_no_detail() -> None:
    app = AppTest.from_string(FAULT, default_timeout=20).run()
    assert "Your runs are untouched" in app.error[0].value
    assert "secret" not in app.error[0].value


def test_streamlit_finds_the_app_in_app_py() -> None:
    assert discover_asgi_app(ROOT / "app.py").import_string == "app:app"
