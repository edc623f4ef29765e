"""The app's outer door: which host names it answers to, who may put it in a frame, and what a page of it may load.

A pure ASGI layer around everything, websockets included.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medqa_core.data.upload import LIMIT
from medqa_core.foundation.errors import shorten
from medqa_core.foundation.settings import Settings

UPLOADS = "/_stcore/upload_file"
"""Streamlit's address for uploads: the Fine-tune page has one for data of one's own. A public demo takes none."""
MULTIPART = 2**20
"""Bytes that a browser may add around a file."""
SOURCES = "'self' 'unsafe-inline' 'unsafe-eval' data: blob:"
"""Streamlit and Gradio need inline code and `eval`; what this still keeps is that no page loads from another host."""
OWN_FRAMES = ("'self'",)
"""The Ask page shows the widget in a frame of its own."""
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Refuses requests under a name that is not the app's, and sends the headers that a browser keeps to.

    A page of a stranger can make its own host name lead to this machine (DNS rebinding) and is then of one origin with
    the app, so far as a browser can tell; what it cannot do is change the name.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] | None = None) -> None:
        """`hosts`: names to answer to, in place of `MEDQA_HOSTS`."""
        self._app = app
        self._hosts = hosts
        self._frames: tuple[str, ...] | None = None
        self._public = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        hosts, frames = self._allowed()
        policy = content_policy(frames)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = policy
                for name, value in ALWAYS.items():
                    headers[name] = value
            await send(message)

        said = _refusal(scope, hosts) or _refused_upload(scope, public=self._public)
        if said is None:
            await self._app(scope, receive, with_headers)
        else:
            await refuse(403, said, scope, receive, with_headers)

    def _allowed(self) -> tuple[Sequence[str], tuple[str, ...]]:
        """Read at the first request: some hosts set the environment while the server starts."""
        if self._hosts is None or self._frames is None:
            settings = Settings.from_environment()
            self._hosts = settings.hosts if self._hosts is None else self._hosts
            self._frames = settings.frames
            self._public = settings.public
        return self._hosts, self._frames


async def refuse(status: int, said: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with one sentence, or close the websocket before it is open."""
    if scope["type"] == "http":
        await PlainTextResponse(said, status_code=status)(scope, receive, send)
    else:
        await send({"type": "websocket.close", "code": 1008})


def content_policy(frames: Sequence[str]) -> str:
    """What a browser may load into the app's pages, and who may put them in a frame."""
    return (
        f"default-src {SOURCES}; object-src 'none'; base-uri 'self'; form-action 'self'; "
        f"frame-ancestors {' '.join(OWN_FRAMES + tuple(frames))}"
    )


def is_allowed(host: str, hosts: Sequence[str]) -> bool:
    """Whether a `Host` header is a name of this app: this machine's, one of `hosts`, or an address.

    An address is always one: only a name can be made to lead elsewhere.
    """
    name = _name(host)
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost") or _is_address(name):
        return True
    return any(
        allowed == "*" or name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:]))
        for allowed in hosts
    )


def _refusal(scope: Scope, hosts: Sequence[str]) -> str | None:
    named = Headers(scope=scope).getlist("host")
    if len(named) != 1 or not is_allowed(named[0], hosts):
        name = shorten(ascii(named[0] if named else "")[1:-1], 60)
        return (
            f"This app does not answer under the name {name}. Whoever runs it can let it: MEDQA_HOSTS=NAME, or "
            "MEDQA_HOSTS=* for any name."
        )
    return None


def _refused_upload(scope: Scope, *, public: bool) -> str | None:
    """Why an upload is not taken: on a public demo none is, elsewhere none that is too large or states no size."""
    if UPLOADS not in scope["path"]:
        return None
    if public:
        return "Nothing can be uploaded to this app."
    stated = Headers(scope=scope).get("content-length", "")
    if scope.get("method") in ("PUT", "POST") and not (stated.isdecimal() and int(stated) <= LIMIT + MULTIPART):
        return f"A file of up to {LIMIT // 2**20} MiB can be uploaded; give a larger one by its path."
    return None


def _name(host: str) -> str | None:
    """The host without its port, in lower case; None where it is not written as one."""
    bracketed, separator, rest = host.partition("]")
    if separator:
        name, port = bracketed.removeprefix("["), rest
        if not bracketed.startswith("[") or not _is_address(name):
            return None
    else:
        name, colon, digits = host.partition(":")
        port = colon + digits
    if port and not (port.startswith(":") and port[1:].isascii() and port[1:].isdigit()):
        return None
    return name.lower().rstrip(".") or None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
