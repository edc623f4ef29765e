"""Who may ask, how often and for how long: the limits of a demo for strangers, enforced whatever the interface."""

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address

from medqa_core.foundation.errors import NotNow, RunError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.status import LIVE
from medqa_core.runs.store.run_store import RunStore

QUESTIONS, WINDOW_SECONDS = 10, 300
"""A visitor of a public demo may ask so many questions in so many seconds."""
WAITING = 20
"""Questions that may wait for the models; who comes later is told so at once."""
FULL = f"The queue is full: {WAITING} questions are waiting. Ask again in a minute."
VISITORS = 10_000
"""Remembered at a time: bounds the memory, whoever knocks."""


@dataclass(frozen=True)
class Limits:
    """Of one question; they cut what its settings ask for."""

    max_new_tokens: int = 512
    seconds: float = 180.0
    """After this long all answers end where they are."""

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Tighter ones on a public demo, where others wait."""
        return cls(max_new_tokens=192, seconds=60.0) if settings.public else cls()


class Admission:
    """Decides whether a visitor's question is answered now. Without `MEDQA_PUBLIC` every one is."""

    def __init__(self, settings: Settings, store: RunStore) -> None:
        self._settings = settings
        self._store = store
        self._salt = secrets.token_bytes(16)
        self._asked: OrderedDict[bytes, deque[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._inside = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those who wait or are answered.

        Raises:
            NotNow: all places are taken.
        """
        with self._lock:
            self._check_place(0)
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1

    def check_place(self, queued: int) -> None:
        """Whether one more may wait, where an interface holds `queued` questions in a queue of its own before `place`.

        Raises:
            NotNow: all places are taken.
        """
        with self._lock:
            self._check_place(queued)

    def _check_place(self, queued: int) -> None:
        # Between two answers nobody is inside for a moment; the first of the queue is as good as inside then.
        if max(1, self._inside) + queued > WAITING:
            raise NotNow(FULL)

    def admit(self, visitor: str) -> None:
        """Count one question of `visitor`, an address that is kept as a salted hash, in memory alone.

        Raises:
            NotNow: it must wait: too many questions, or a fine-tune needs the device.
        """
        if not self._settings.public:
            return
        training = [entry.id for entry in self._store.list() if entry.state in LIVE and self._is_here(entry.id)]
        if training:
            raise NotNow(f"{training[0]} is being trained on this machine: ask again when it has finished.")
        key, now = (
            blake2b(visitor.encode("utf-8", "replace"), key=self._salt, digest_size=16).digest(),
            time.monotonic(),
        )
        with self._lock:
            times = self._asked.setdefault(key, deque())
            self._asked.move_to_end(key)
            while len(self._asked) > VISITORS:
                self._asked.popitem(last=False)
            while times and now - times[0] >= WINDOW_SECONDS:
                times.popleft()
            if len(times) >= QUESTIONS:
                wait = max(1, round(WINDOW_SECONDS - (now - times[0])))
                raise NotNow(f"Limit: {QUESTIONS} questions per {WINDOW_SECONDS // 60} minutes. Ask again in {wait} s.")
            times.append(now)

    def _is_here(self, run_id: str) -> bool:
        """Whether the run takes this machine's device, and not that of another one that writes to the same store."""
        try:
            return not self._store.open(run_id).elsewhere()
        except RunError:  # it went away since it was listed
            return False


def visitor_address(peer: str | None, forwarded_for: str | None) -> str:
    """Whose question it is: the peer's address, or what a proxy in front says of it.

    Only a peer with a private or loopback address counts as a proxy, and of `X-Forwarded-For` only the last entry,
    the one that it added itself: the ones before it are the visitor's to invent.
    """
    address = (peer or "").strip()
    last = (forwarded_for or "").rpartition(",")[2].strip() if _is_inside(address) else ""
    return _canonical(last) or _canonical(address) or address


def _is_inside(address: str) -> bool:
    parsed = _parsed(address)
    if parsed is None:
        return address in ("", "localhost", "testclient")
    return parsed.is_private or parsed.is_loopback


def _canonical(text: str) -> str:
    """An address in one spelling; an IPv6 one as its network, since a household owns 2**64 of them."""
    parsed = _parsed(text)
    if parsed is None:
        return ""
    return str(parsed) if isinstance(parsed, IPv4Address) else parsed.exploded[:19]


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address; IPv4 as a server with IPv6 sees it (`::ffff:1.2.3.4`) is IPv4, and an interface (`%eth0`) no part."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
