"""A web server on 127.0.0.1 for as long as a test needs one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Loopback(ThreadingHTTPServer):
    """What it serves is its handler's business."""

    daemon_threads = True
    state: Any = None
    """What the handler answers from, and notes down."""

    @property
    def address(self) -> str:
        """Where it is asked, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Quiet, on connections that stay open; `answer` is each server's own."""

    protocol_version = "HTTP/1.1"
    server: Loopback

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def answer(self) -> None:
        """Answer the request, whose method is `self.command`."""
        raise NotImplementedError

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def send_head(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        """All but the content itself; `headers` come after its length."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def listening(handler: type[Handler]) -> Iterator[Loopback]:
    """Serve until the block ends."""
    with Loopback(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
