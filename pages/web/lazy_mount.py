"""An ASGI app that is imported and built when it is first asked for, so that starting the server stays quick."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

LOG = logging.getLogger("medqa.pages")
NOT_THERE = "{} is not available here. The other pages work; the server's log says why."


class LazyMount:
    """Stands where the app will be. The first request builds it in a thread and enters its lifespan."""

    def __init__(self, build: Callable[[], Starlette], what: str = "The question widget") -> None:
        """`what`: what it is called where it cannot be built."""
        self._build = build
        self._what = what
        self._app: Starlette | None = None
        self._stack: AsyncExitStack | None = None
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def lifespan(self, _parent: Any) -> AsyncIterator[None]:
        """The parent's lifespan: whatever was built in it is closed with it."""
        async with AsyncExitStack() as stack:
            self._stack = stack
            try:
                yield
            finally:
                self._app = self._stack = None

    def end(self) -> None:
        """Tell what was built that the server ends: it may have streams that wait for that (`app.state.end`)."""
        if self._app is not None:
            getattr(self._app.state, "end", lambda: None)()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; 503 in plain words where the app cannot be built."""
        app = self._app or await self._ready()
        if app is not None:
            await app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse(NOT_THERE.format(self._what), status_code=503)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1013})

    async def _ready(self) -> Starlette | None:
        async with self._lock:
            if self._app is None and self._stack is not None:
                try:
                    app = await asyncio.to_thread(self._build)
                    await self._stack.enter_async_context(app.router.lifespan_context(app))
                except Exception:
                    LOG.exception("%s could not be built.", self._what)
                else:
                    self._app = app
            return self._app
