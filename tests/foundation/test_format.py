from datetime import UTC, datetime, timedelta, timezone

import pytest

from medqa_core.foundation import format as f
from medqa_core.report.names import verdict_mark


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (2.0423, 4, "2.0423"),
        (None, 4, "not stated"),
        (float("nan"), 4, "not a number"),
        (-0.5, 2, "−0.50"),
        (-0.00001, 2, "0.00"),
        (3500, 4, "3,500"),
        (12345.6, 1, "12,345.6"),
        (1e30, 2, "1e+30"),
    ],
)
def test_number(value: float | None, digits: int, text: str) -> None:
    assert f.number(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0543, "+0.054"), (-0.0543, "−0.054"), (0.0, "0.000"), (-1e-9, "0.000"), (None, "not stated")]
)
def test_signed(value: float | None, text: str) -> None:
    assert f.signed(value) == text


def test_interval_has_signs_inside_when_negative() -> None:
    assert f.interval(0.054, (0.023, 0.086)) == "+0.054 [0.023, 0.086]"
    assert f.interval(-0.054, (-0.086, -0.023)) == "−0.054 [−0.086, −0.023]"
    assert f.interval(0.05, None) == "+0.050"
    assert f.interval(None, None) == "not stated"


def test_interval_never_writes_a_bound_as_zero_that_is_not() -> None:
    assert f.interval(0.01, (0.0002, 0.02)) == "+0.0100 [0.0002, 0.0200]"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4907, "1 h 22 min"),
        (43, "43 s"),
        (0, "0 s"),
        (0.4, "under 1 s"),
        (3600, "1 h"),
        (90_000, "1 d 1 h"),
        (None, "not stated"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert f.duration(seconds) == text


def test_timestamp_is_utc_with_its_zone() -> None:
    assert f.timestamp(datetime(2026, 11, 22, 23, 10, 59, tzinfo=UTC)) == "2026-11-22 23:10 UTC"
    assert f.timestamp(datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))) == "2025-12-31 23:00 UTC"


def test_other_forms() -> None:
    assert f.percent(0.1234) == "12.3%"
    assert f.general(1e-05) == "1e-05"
    assert f.general(8.0) == "8"
    assert f.p_value(0.00001) == "p < 0.001"
    assert f.listing(["a", "b", "c"]) == "a, b and c"
    assert verdict_mark("better") == "▲ better"
    assert verdict_mark("anything") == "? inconclusive"
    assert f.without_emoji("✅ ⚠️ • Loss fell → 2.0 °C") == "Loss fell → 2.0 °C"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/someone/models/mine", "local: mine"),
        ("C:\\models\\mine", "local: mine"),
        ("./mine", "local: mine"),
        ("owner/name", "owner/name"),
    ],
)
def test_a_path_on_someones_disk_is_not_shown(text: str, shown: str) -> None:
    assert f.place(text) == shown
