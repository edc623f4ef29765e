"""The widget's own door: the addresses of Gradio that it needs and no other, its own pages as callers, small requests.

Gradio serves some forty addresses more, among them uploads, a proxy and files by path. None of them is reachable here.
"""

import re
from collections import Counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medqa_core.answering.admission import visitor_address
from pages.web.host_guard import refuse

BODY_LIMIT = 2**20
"""Bytes of a request: a thousand times the longest question."""
TOO_LARGE = f"The request is larger than {BODY_LIMIT // 2**10:,} KiB."
STREAMS = 32
"""Open at a time for one visitor: an open page holds one, and one more while it is being answered."""

FOREIGN = "Only this app's own pages, and programs, may ask here."

API = "/gradio_api"
READ = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/(?:static|assets|svelte)/(?!.*\.\.)[\w./@-]+"
    rf"|{API}/(?:info/?|openapi\.json|theme\.css|app_id/?|login_check/?|user/?|startup-events|queue/(?:data|status)"
    r"|heartbeat/\w+|call/(?:v2/)?\w+/\w+)",
    re.ASCII,
)
"""Pages, their parts, what the API is, and streams of answers."""
WRITE = re.compile(rf"{API}/(?:queue/join|run/predict/?|call/(?:v2/)?\w+/?|cancel|reset/?)")
"""A question, a press of a button, and an end of either."""
STREAM = re.compile(rf"{API}/(?:queue/data|heartbeat/\w+|call/(?:v2/)?\w+/\w+)")
OWN = ("same-origin", "none")
"""What a browser says of a request that a page of this app makes, or a person who types the address."""


class AskGuard:
    """Refuses what the widget never asks for, before Gradio sees it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        headers = Headers(scope=scope)
        reading = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        writing = scope["type"] == "http" and scope["method"] == "POST"
        if not ((reading and READ.fullmatch(path)) or (writing and WRITE.fullmatch(path))):
            await refuse(404, "There is nothing at this address.", scope, receive, send)
        elif not reading and is_foreign(headers):
            await refuse(403, FOREIGN, scope, receive, send)
        elif writing:
            await self._write(headers, scope, receive, send)
        elif STREAM.fullmatch(path):
            await self._stream(headers, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _write(self, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(headers, receive)
        if body is None:
            await refuse(413, TOO_LARGE, scope, receive, send)
            return
        left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return left.pop() if left else await receive()

        await self._app(scope, again, send)

    async def _stream(self, headers: Headers, scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        visitor = visitor_address(peer, ",".join(headers.getlist("x-forwarded-for")))
        if self._open[visitor] >= STREAMS:
            said = f"{STREAMS} streams are open already for this visitor: close a page and try again."
            await refuse(429, said, scope, receive, send)
            return
        self._open[visitor] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[visitor] -= 1
            if not self._open[visitor]:  # or the addresses of all who ever came would stay
                del self._open[visitor]


def is_foreign(headers: Headers) -> bool:
    """Whether a page of another origin sent the request. A program sends neither header, and is none."""
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None and site not in OWN:
        return True
    if origin is None or (origin == "null" and site is not None):
        return False  # `null` with a site of its own: a page that keeps its address to itself
    return origin.partition("://")[2].lower() != headers.get("host", "").lower()


async def read_body(headers: Headers, receive: Receive) -> bytes | None:
    """The request's body, or None where it is too large; what is too large is not read."""
    declared = headers.get("content-length", "0")
    if not declared.isdigit() or len(declared) > 12 or int(declared) > BODY_LIMIT:
        return None
    pieces = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(pieces)  # the visitor has left; who answers is told by the next message
        pieces += message.get("body", b"")
        if len(pieces) > BODY_LIMIT:
            return None
        if not message.get("more_body", False):
            return bytes(pieces)
