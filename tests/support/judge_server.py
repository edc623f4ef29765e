"""A judge model on 127.0.0.1: as much of OpenAI's chat completions as is asked for, and misbehaviour on demand."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback import Handler, listening

Choose = Callable[[dict[str, str]], str]
"""From the texts that it is shown, by name, to what it says."""
_TEXT = re.compile(r"<<([a-z0-9 ]+) ([0-9a-f]{16})>>\n(.*?)\n<<end of \1 \2>>", re.DOTALL)


def texts(content: str) -> dict[str, str]:
    """What stands between the marks, by name."""
    return {name: text for name, _, text in _TEXT.findall(content)}


def says(better: str) -> str:
    """A reply as it is asked for."""
    return json.dumps({"better": better})


@dataclass
class JudgeServer:
    """What it answers, and what it was asked."""

    address: str
    choose: Choose
    model: str = "judge-1"
    key: str | None = None
    statuses: list[int] = field(default_factory=list)
    """HTTP answers to give before it behaves, one a request."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with these."""
    body: bytes | None = None
    """Sent in place of a completion."""
    drip: float = 0.0
    """Seconds between two bytes of a reply."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def judging(choose: Choose, **options: Any) -> Iterator[JudgeServer]:
    """Serve until the block ends."""
    with listening(_Handler) as server:
        server.state = JudgeServer(f"{server.address}/v1", choose, **options)
        yield server.state


class _Handler(Handler):
    def answer(self) -> None:
        state: JudgeServer = self.server.state
        state.paths.append(self.path)
        if self.command != "POST":
            self._send(200, b"{}", {})
            return
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if state.key is not None and self.headers.get("Authorization") != f"Bearer {state.key}":
            said = f"Wrong key {self.headers.get('Authorization')}"
            self._send(401, json.dumps({"error": {"message": said}}).encode(), {})
            return
        if asked["model"] != state.model:
            self._send(404, json.dumps({"error": {"message": "no such model"}}).encode(), {})
            return
        if state.statuses:
            self._send(state.statuses.pop(0), b"{}", state.headers)
            return
        state.requests.append(asked)
        said = state.choose(texts(asked["messages"][-1]["content"]))
        reply = {"model": "judge-1-0613", "choices": [{"message": {"role": "assistant", "content": said}}]}
        self._send(200, state.body if state.body is not None else json.dumps(reply).encode(), {}, state.drip)

    def _send(self, status: int, content: bytes, headers: dict[str, str], drip: float = 0.0) -> None:
        self.send_head(status, content, headers)
        for piece in [content[n : n + 1] for n in range(len(content))] if drip else [content]:
            try:
                self.wfile.write(piece)
                self.wfile.flush()
            except OSError:  # the client has gone
                return
            if drip:
                time.sleep(drip)
