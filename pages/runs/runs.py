"""Runs: the table of all runs, and what can be done with the ticked ones."""

from medqa_core.foundation.format import count, plural
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.bin import empty
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.making import sweep
from pages.runs import actions, deleted, imports, table, work
from pages.shared import flash
from pages.shared.markup import answer
from pages.shared.store import listed, store

settings = Settings.from_environment()


def sentence(entries: list[RunEntry]) -> str:
    """What is in the store."""
    if not entries:
        return "No runs yet." if settings.public else "No runs yet: start a fine-tune, or import a run below."
    states: dict[str, int] = {}
    for entry in entries:
        states[entry.state] = states.get(entry.state, 0) + 1
    parts = ", ".join(f"{count(n)} {state}" for state, n in sorted(states.items(), key=lambda one: -one[1]))
    away = sum(entry.archived for entry in entries)
    archived = f", {count(away)} of them archived" if away else ""
    return f"{plural(len(entries), 'run')}: {parts}{archived}."


entries = listed()
answer(sentence(entries))
flash.show(flash.take())
if not settings.public:
    empty(store())
    sweep(store().folder)
    work.draw(settings)
if entries:
    rows = table.filters(entries)
    actions.draw(table.ticked(entries), public=settings.public)
    table.draw(rows, len(entries))
if not settings.public:
    imports.draw()
    deleted.draw()
