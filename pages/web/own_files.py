"""Streamlit's own scripts, styles and fonts, answered from the event loop itself.

A page loads sixty of them before its first heading. Streamlit's own route opens, measures, reads and closes each in a
pool of threads: a dozen hand-overs a file, each of which waits for the interpreter while pages are still imported.
"""

import mimetypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit import file_util

PREFIX = "/static/"
FOREVER = "public, immutable, max-age=31536000"
"""The names carry a hash of their content, and Streamlit says the same of them."""
AT_ONCE = 16 * 2**20
"""Bytes of the largest file that is read in one go; the largest there is has 5 MB."""


class OwnFiles:
    """Answers a plain request for a file that was there at the start; all else is Streamlit's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        content = None
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(PREFIX):
            content = _read(scope["path"])
        if content is None:
            await self._app(scope, receive, send)
            return
        kind = mimetypes.guess_type(scope["path"])[0] or "application/octet-stream"
        await Response(content, media_type=kind, headers={"cache-control": FOREVER})(scope, receive, send)


def preloaded(parts: Sequence[str]) -> str:
    """Links by which a browser fetches these parts of Streamlit with the first ones, not when an element needs them."""
    found = [name for name in _names() for part in parts if name.startswith(f"{PREFIX}js/{part}.")]
    return "".join(f'<link rel="modulepreload" href=".{name}">' for name in found)


@cache
def _names() -> dict[str, Path]:
    """The files below Streamlit's static folder by their address, listed once: a request can only choose among them."""
    root = Path(file_util.get_static_dir())
    found = (Path(folder, name) for folder, _, names in os.walk(root / "static") for name in names)
    return {f"/{path.relative_to(root).as_posix()}": path for path in found}


def _read(address: str) -> bytes | None:
    path = _names().get(address)
    try:
        if path is None or path.stat().st_size > AT_ONCE:
            return None
        return path.read_bytes()
    except OSError:  # removed since: Streamlit says so
        return None
