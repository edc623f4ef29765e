"""What is read from a run folder is plain text and finite numbers, whatever the file holds."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medqa_core.foundation.visible import plain
from medqa_core.runs.schema.record import Check, ImportRecord, RunRecord
from tests.support.runs import record


@given(st.text())
def test_plain_text_is_one_harmless_line(text: str) -> None:
    kept = plain(text)
    assert plain(kept) == kept
    assert not {unicodedata.category(c) for c in kept} & {"Cc", "Cf", "Co", "Cs"}


def test_hostile_characters_are_dropped_when_read() -> None:
    title = "Run\u202e 2\n\x1b[31mred\u200b"
    read = RunRecord.model_validate(record().model_dump() | {"title": title})
    assert read.title == "Run 2 [31mred"


def test_a_record_survives_json() -> None:
    before = record()
    assert RunRecord.model_validate_json(before.model_dump_json()) == before


def test_a_date_without_a_zone_is_taken_as_utc() -> None:
    read = RunRecord.model_validate(record().model_dump() | {"created_at": "2025-01-02 03:04:05"})
    assert read.created_at.isoformat() == "2025-01-02T03:04:05+00:00"


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": "yesterday"},
        {"created_at": None},
        {"kind": "other"},
        {"title": None},
        {"title": "x" * 3000},
        {"number": -1},
        {"schema_version": 3},
        {"base_model": {"id": "a", "sha256": "xyz"}},
        {"data": {"source": "a", "truncated_share": float("nan")}},
        {"data": {"source": "a", "split": {"train": -1, "validation": 1, "test": 1}}},
    ],
)
def test_what_the_contract_forbids(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RunRecord.model_validate(record().model_dump() | changes)


def test_fields_of_a_later_version_are_left_alone() -> None:
    assert RunRecord.model_validate(record().model_dump() | {"mood": "good"}).title == "A good run"


def test_figures_keep_their_kind() -> None:
    read = ImportRecord(format="summary", source="a.txt", figures={"n": 3, "loss": 2.0, "torch": "2.8.0", "id": "12"})
    assert [type(value) for value in read.figures.values()] == [int, float, str, str]


def test_a_figure_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValidationError):
        ImportRecord(format="summary", source="a.txt", figures={"loss": float("nan")})


def test_a_check_may_be_undecided() -> None:
    assert Check(name="a", passed=None, detail="b").passed is None
