"""A judge model behind an OpenAI-compatible address, the one that the person who runs the program has set.

Requests go to that address alone: redirects are not followed, and a reply is read up to a size and for a time.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx2

from medqa_core.evaluation.model_judge.prompt import Request
from medqa_core.foundation.errors import InputError, ModelError, ModelUnavailable, shorten
from medqa_core.foundation.files import loads
from medqa_core.foundation.visible import plain

TRIES = 5
PATIENCE = 120.0
"""Seconds for one reply, however slowly it comes."""
LARGEST = 2**20
"""Bytes of a reply that are read."""
MOST_TOKENS = 512
"""Of a reply: room for a model that thinks aloud first."""
LONGEST_WAIT = 60.0
"""Seconds between two tries, whatever the server asks for."""
PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""HTTP answers after which it is tried again."""


class AddressJudge:
    """A chat model asked over HTTP, one request at a time."""

    where: Literal["address"] = "address"

    def __init__(
        self,
        address: str,
        model: str,
        key: str | None = None,
        *,
        patience: float = PATIENCE,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            address: up to and with its version, `https://api.example.org/v1`, or the whole of `…/chat/completions`.
            model: what the server calls the model.
            key: sent as a bearer token.
            patience: seconds for one reply.
            sleep: waits between tries.

        Raises:
            InputError: the address is none of HTTP, or holds a password.
        """
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"{shorten(address)!r} is not an address with http:// or https://.", field="MEDQA_JUDGE")
        if parts.username or parts.password:
            raise InputError("put the key into MEDQA_JUDGE_KEY, not into the address.", field="MEDQA_JUDGE")
        whole = address.rstrip("/")
        self._url = whole if whole.endswith("/chat/completions") else f"{whole}/chat/completions"
        self.host = parts.netloc
        """Name and port of the server."""
        self.name = model
        self._key, self._patience, self._sleep = key, patience, sleep
        self._served: dict[str, None] = {}

    @property
    def served(self) -> tuple[str, ...]:
        """What the server called the model that replied, once each."""
        return tuple(self._served)

    def reply(self, request: Request) -> str:
        """The model's reply as text.

        Raises:
            ModelUnavailable: the server cannot be reached, does not answer in time, or is overloaded, after all tries.
            ModelError: it refuses, does not know the model, or what answers is no chat model.
        """
        body = {
            "model": self.name,
            "messages": [
                {"role": "system", "content": request.instructions},
                {"role": "user", "content": request.texts},
            ],
            "temperature": 0,
            "max_tokens": MOST_TOKENS,
        }
        problem = ""
        for attempt in range(TRIES):
            wait = 2.0**attempt
            try:
                status, headers, content = self._post(body)
            except httpx2.TimeoutException:
                problem = f"did not answer within {self._patience:g} s"
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                problem = f"cannot be reached ({shorten(plain(str(error)) or type(error).__name__)})"
            else:
                if status == 200:
                    return self._text(content)
                if status not in PASSING:
                    raise ModelError(self._refusal(status, content))
                problem, wait = f"answers with HTTP {status}", _wait(headers, wait)
            if attempt + 1 < TRIES:
                self._sleep(min(wait, LONGEST_WAIT))
        raise ModelUnavailable(
            f"The judge at {self.host} {problem}, {TRIES} times in a row. What it has judged is kept: the same command "
            "resumes."
        )

    def _post(self, body: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        end = time.monotonic() + self._patience
        content = bytearray()
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx2.Timeout(self._patience, connect=min(10.0, self._patience))
        with httpx2.stream(
            "POST", self._url, json=body, headers=headers, timeout=timeout, follow_redirects=False
        ) as response:
            for piece in response.iter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise ModelError(f"The judge at {self.host} replies with more than {LARGEST // 2**20} MiB.")
                if time.monotonic() > end:  # the client's own limit is for each piece
                    raise httpx2.ReadTimeout("too slow")
            return response.status_code, response.headers, bytes(content)

    def _text(self, content: bytes) -> str:
        try:
            value = loads(content.decode("utf-8"))
            text = value["choices"][0]["message"]["content"]
            if not isinstance(text, str | None):
                raise TypeError(text)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            raise ModelError(
                f"What answers at {self.host} is no chat model: its reply is not a chat completion. MEDQA_JUDGE is the "
                "address up to its version, such as https://api.example.org/v1."
            ) from error
        served = value.get("model")
        if isinstance(served, str) and len(self._served) < 20:
            self._served.setdefault(shorten(plain(served), 200))
        return text or ""

    def _refusal(self, status: int, content: bytes) -> str:
        said = self._said(content)
        if status in (401, 403):
            return f"The judge at {self.host} refuses (HTTP {status}): set MEDQA_JUDGE_KEY.{said}"
        if status in (301, 302, 307, 308):
            return (
                f"The judge at {self.host} redirects elsewhere, which is not followed: set MEDQA_JUDGE to where it is."
            )
        if status == 404:
            return f"{self.host} knows no model {self.name!r}, or no chat completions at this address (HTTP 404).{said}"
        return f"The judge at {self.host} does not take the request (HTTP {status}).{said}"

    def _said(self, content: bytes) -> str:
        """What the server says about it, without the key if it repeats that."""
        try:
            error = loads(content.decode("utf-8"))["error"]
            said = error["message"] if isinstance(error, dict) else error
        except (ValueError, TypeError, KeyError):
            return ""
        text = plain(str(said)).replace(self._key, "…") if self._key else plain(str(said))
        return f" It says: {shorten(text, 200)}"


def _wait(headers: Mapping[str, str], otherwise: float) -> float:
    """Seconds that the server asks to wait; dates are not read."""
    try:
        return max(0.0, float(headers.get("Retry-After", "")))
    except ValueError:
        return otherwise
