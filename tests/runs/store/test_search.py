"""Finding runs among thousands."""

from datetime import UTC, datetime, timedelta

import pytest

from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.search import MOST_OFFERED, ORDERS, latest, matching, offered, ordered, short_names

START = datetime(2026, 1, 1, tzinfo=UTC)
ENTRIES = [
    RunEntry("b-1", "First", "finetune", "completed", START, base_model="smollm2"),
    RunEntry("a-2", "Second of LoRA", "finetune", "failed", START + timedelta(1), base_model="distilgpt2"),
    RunEntry("c-3", "an import", "imported", "imported", START + timedelta(2)),
]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["b-1", "a-2", "c-3"]),
        ("LORA", ["a-2"]),
        ("failed second", ["a-2"]),
        ("smollm2", ["b-1"]),
        ("imported", ["c-3"]),
        ("first failed", []),
        ("-", ["b-1", "a-2", "c-3"]),
    ],
)
def test_every_word_must_be_there(words: str, found: list[str]) -> None:
    assert [entry.id for entry in matching(ENTRIES, words)] == found


@pytest.mark.parametrize(
    ("order", "ids"),
    [
        ("newest first", ["c-3", "a-2", "b-1"]),
        ("oldest first", ["b-1", "a-2", "c-3"]),
        ("by id", ["a-2", "b-1", "c-3"]),
        ("by title", ["c-3", "b-1", "a-2"]),
        ("by base model", ["a-2", "b-1", "c-3"]),
    ],
)
def test_orders(order: str, ids: list[str]) -> None:
    assert [entry.id for entry in ordered(ENTRIES, order)] == ids
    assert order in ORDERS


def test_no_more_than_a_browser_can_bear_and_what_is_chosen_stays() -> None:
    many = [RunEntry(f"run-{n}", "", "finetune", "completed", START) for n in range(1000)]
    found = offered(many, keep=["run-5", "run-900", "run-900", "gone"])
    assert found[:MOST_OFFERED] == [f"run-{n}" for n in range(MOST_OFFERED)]
    assert found[MOST_OFFERED:] == ["run-900", "gone"]


def test_the_latest_is_the_last_of_its_series_on_the_newest_day() -> None:
    hours = [RunEntry(f"run-{n}", "", "finetune", "completed", START + timedelta(hours=9 - n), n) for n in (5, 6)]
    older = RunEntry("older", "", "finetune", "completed", START - timedelta(2), 9)
    found = latest([*hours, older])
    assert found is not None and found.id == "run-6"
    assert latest([]) is None


def test_a_title_that_two_runs_share_has_the_id_beside_it() -> None:
    twins = [RunEntry(f"twin-{n}", "Twin", "finetune", "completed", START) for n in (1, 2)]
    long = RunEntry("long", "A title " + "that goes on " * 20, "finetune", "completed", START)
    named = short_names([*ENTRIES, *twins, long, RunEntry("plain", "plain", "finetune", "completed", START)])
    ids = ("b-1", "twin-1", "twin-2", "plain", "gone")
    assert [named(one) for one in ids] == ["First", "Twin · twin-1", "Twin · twin-2", "plain", "gone"]
    assert len(named("long")) <= 48 and named("long").endswith("…")
