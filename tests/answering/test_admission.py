"""A demo for strangers answers each of them in turn; a laboratory of one's own answers whatever it is asked."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.admission import FULL, QUESTIONS, WAITING, WINDOW_SECONDS, Admission, Limits, visitor_address
from medqa_core.foundation.errors import NotNow
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import ProcessIdentity, Status, now
from medqa_core.runs.store.run_store import RunStore

GONE = ProcessIdentity(pid=2**22 - 1, created=1.0, boot="another")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "reports", tmp_path / "cache", None, None, public=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`clock(SECONDS)` sets the time."""
    time = [1000.0]
    monkeypatch.setattr("medqa_core.answering.admission.time.monotonic", lambda: time[0])
    return lambda seconds: time.__setitem__(0, 1000.0 + seconds)


def admission_of(settings: Settings) -> Admission:
    return Admission(settings, RunStore(settings.reports))


def test_a_full_queue_is_said_at_once_and_a_place_that_is_left_is_there_again(settings: Settings) -> None:
    admission = admission_of(settings)
    with ExitStack() as inside:
        for _ in range(WAITING):
            inside.enter_context(admission.place())
        admission.check_place(0)
        with pytest.raises(NotNow, match=r"^The queue is full: 20 questions are waiting\. Ask again in a minute\.$"):
            admission.check_place(1)
        inside.enter_context(admission.place())
        with pytest.raises(NotNow) as caught, admission.place():
            pass
        assert str(caught.value) == FULL
    admission.check_place(WAITING - 1)
    with pytest.raises(NotNow):
        admission.check_place(WAITING)


def wait(admission: Admission, visitor: str = "a") -> int:
    """The seconds that a refused visitor is told to wait."""
    with pytest.raises(NotNow, match=r"^Limit: 10 questions per 5 minutes\. Ask again in \d+ s\.$") as caught:
        admission.admit(visitor)
    assert caught.value.exit_code == 1
    return int(str(caught.value).split()[-2])


def start(settings: Settings, state: str, process: ProcessIdentity | None = None) -> None:
    record = RunRecord(
        id="busy", number=1, title="Busy", kind="finetune", created_at=now(), config=from_preset("smoke")
    )
    run = RunStore(settings.reports).create(record)
    status = Status.model_validate({"state": state, "process": process})
    write_json(run.folder / "status.json", status.model_dump(mode="json"))


def test_who_hosts_nobody_is_never_refused(settings: Settings) -> None:
    start(settings, "running", ProcessIdentity.current())
    admission = admission_of(replace(settings, public=False))
    for _ in range(3 * QUESTIONS):
        admission.admit("a")


def test_one_question_too_many_waits_until_the_first_is_old(settings: Settings, clock: Callable[[float], None]) -> None:
    admission = admission_of(settings)
    for second in range(QUESTIONS):
        clock(second)
        admission.admit("a")
    clock(100)
    assert wait(admission) == WINDOW_SECONDS - 100
    admission.admit("b")  # another visitor does not wait for this one
    clock(WINDOW_SECONDS - 0.1)
    assert wait(admission) == 1
    clock(WINDOW_SECONDS)
    admission.admit("a")
    assert wait(admission) == 1  # the second question is a second younger than the first
    clock(3 * WINDOW_SECONDS)
    for _ in range(QUESTIONS):
        admission.admit("a")
    assert wait(admission) == WINDOW_SECONDS


def test_a_refused_question_does_not_count(settings: Settings, clock: Callable[[float], None]) -> None:
    admission = admission_of(settings)
    for _ in range(QUESTIONS):
        admission.admit("a")
    clock(WINDOW_SECONDS - 1)
    for _ in range(50):
        wait(admission)
    clock(WINDOW_SECONDS)
    admission.admit("a")


@pytest.mark.parametrize("state", ["running", "stopping"])
def test_nobody_is_answered_while_a_run_is_trained(settings: Settings, state: str) -> None:
    start(settings, state, ProcessIdentity.current())
    with pytest.raises(NotNow, match=r"^busy is being trained on this machine: ask again when it has finished\.$"):
        admission_of(settings).admit("a")


@pytest.mark.parametrize(
    ("state", "process"), [("running", GONE), ("running", None), ("queued", None), ("completed", None)]
)
def test_a_run_that_needs_nothing_now_stops_nobody(
    settings: Settings, state: str, process: ProcessIdentity | None
) -> None:
    start(settings, state, process)
    admission_of(settings).admit("a")


def test_who_is_turned_away_while_a_run_is_trained_has_not_asked(settings: Settings) -> None:
    admission = admission_of(settings)
    start(settings, "running", ProcessIdentity.current())
    for _ in range(2 * QUESTIONS):
        with pytest.raises(NotNow, match="busy is being trained"):
            admission.admit("a")
    write_json(settings.reports / "busy" / "status.json", Status(state="completed").model_dump(mode="json"))
    admission.admit("a")


def test_memory_is_bounded_and_the_latest_visitors_are_remembered(
    settings: Settings, clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medqa_core.answering.admission.VISITORS", 5)
    admission = admission_of(settings)
    for _ in range(QUESTIONS):
        admission.admit("kept")
    for number in range(20):
        admission.admit(f"passer-by {number}")
        wait(admission, "kept")  # asking is what keeps it in memory
    assert len(admission._asked) == 5
    admission.admit("passer-by 0")


def test_no_address_is_kept_and_any_text_is_one(settings: Settings) -> None:
    admission = admission_of(settings)
    for visitor in ("203.0.113.9", "", "\ud800", "x" * 100_000):
        admission.admit(visitor)
    kept = list(admission._asked)
    assert {len(key) for key in kept} == {16}
    other = admission_of(settings)
    other.admit("203.0.113.9")
    assert not set(other._asked) & set(kept)  # salted anew for each process


def test_limits_are_tighter_for_strangers(settings: Settings) -> None:
    assert Limits.of(settings) == Limits(max_new_tokens=192, seconds=60)
    assert Limits.of(replace(settings, public=False)) == Limits() == Limits(max_new_tokens=512, seconds=180)


@pytest.mark.parametrize(
    ("peer", "forwarded", "visitor"),
    [
        # A stranger says what it likes.
        ("8.8.8.8", None, "8.8.8.8"),
        ("8.8.8.8", "1.2.3.4", "8.8.8.8"),
        ("8.8.8.8", "127.0.0.1", "8.8.8.8"),
        ("::ffff:8.8.8.8", "1.2.3.4", "8.8.8.8"),
        ("2001:4860:4860::8888", "1.2.3.4", "2001:4860:4860:0000"),
        # A proxy of ours says whose question it is, in the last entry.
        ("127.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("10.1.2.3", " 1.2.3.4 , 9.9.9.9 ", "9.9.9.9"),
        ("172.17.0.1", "spoofed, 9.9.9.9", "9.9.9.9"),
        ("::1", "9.9.9.9", "9.9.9.9"),
        ("::ffff:10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("fe80::1%eth0", "9.9.9.9", "9.9.9.9"),
        ("localhost", "9.9.9.9", "9.9.9.9"),
        (None, "9.9.9.9", "9.9.9.9"),
        # IPv6 by its network, IPv4 in it as IPv4.
        ("127.0.0.1", "2001:4860:4860:0:1:2:3:4", "2001:4860:4860:0000"),
        ("127.0.0.1", "2001:4860:4860::ffff", "2001:4860:4860:0000"),
        ("127.0.0.1", "2001:4860:4860:1::", "2001:4860:4860:0001"),
        ("127.0.0.1", "::ffff:9.9.9.9", "9.9.9.9"),
        ("127.0.0.1", "fe80::1%eth0", "fe80:0000:0000:0000"),
        # Without a word that is an address, the peer's own.
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "9.9.9.9,", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "999.1.1.1", "127.0.0.1"),
        ("127.0.0.1", "\x00" * 5000, "127.0.0.1"),
        ("testclient", None, "testclient"),
        ("somewhere", "9.9.9.9", "somewhere"),
        (None, None, ""),
    ],
)
def test_whose_question_it_is(peer: str | None, forwarded: str | None, visitor: str) -> None:
    assert visitor_address(peer, forwarded) == visitor
