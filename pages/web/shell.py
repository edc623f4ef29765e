"""What is added to the HTML that Streamlit serves at every page's address, so that a browser has it from the start.

Streamlit sends a page's style sheet as an element of the page, when its script runs, and loads the parts that draw an
element when the first of its kind arrives: what is there already moves each time.
"""

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

END = b"</body>"
"""What is added stands before it: behind Streamlit's own styles, where a rule of equal weight wins."""
LIMIT = 2**20
"""Bytes of a page that is waited for."""
ELSEWHERE = ("/qa/", "/v1/", "/_stcore/", "/static/", "/media/", "/component/")


class Shell:
    """Adds what `more` gives to each HTML page that comes from within."""

    def __init__(self, app: ASGIApp, more: Callable[[], str]) -> None:
        self._app = app
        self._more = more

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        page = scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(ELSEWHERE)
        await self._app(_plain(scope) if page else scope, receive, _Added(send, self._more) if page else send)


class _Added:
    """Holds a page back until it is whole, and sends it with what is added; anything else goes on as it comes."""

    def __init__(self, send: Send, more: Callable[[], str]) -> None:
        self._send, self._more = send, more
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_page(message):
            self._start = message
        elif self._start is None or message["type"] != "http.response.body":
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False) or len(self._body) > LIMIT:
                await self._finish(message)

    async def _finish(self, last: Message) -> None:
        assert self._start is not None
        before, end, after = self._body.rpartition(END)
        if end:
            self._body = before + self._more().encode() + end + after
        headers = MutableHeaders(raw=self._start["headers"])
        for name in ("etag", "last-modified", "accept-ranges", "content-length"):  # of the file, not of this
            del headers[name]
        if not last.get("more_body", False):
            headers["content-length"] = str(len(self._body))
        start, self._start = {**self._start, "headers": headers.raw}, None
        await self._send(start)
        await self._send({**last, "body": self._body})


def _plain(scope: Scope) -> Scope:
    """The request without what would bring a compressed page, a part of one or none."""
    kept = [pair for pair in scope["headers"] if pair[0].lower() not in (b"accept-encoding", b"range", b"if-range")]
    return {**scope, "headers": kept}


def _is_page(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return (
        start["status"] == 200
        and headers.get("content-type", "").startswith("text/html")
        and "content-encoding" not in headers
    )
