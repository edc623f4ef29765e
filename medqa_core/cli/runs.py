"""`runs`: the list of runs and their progress."""

from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medqa_core.cli import run_labels
from medqa_core.cli.output import JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import MedQAError, RunError
from medqa_core.foundation.format import count, duration, percent, plural
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch, watch
from medqa_core.jobs.queue import store_of
from medqa_core.runs.reading import read_model
from medqa_core.runs.schema.status import Status
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.search import matching

if TYPE_CHECKING:
    from medqa_core.evaluation.between_runs import BetweenRuns
    from medqa_core.evaluation.ways import Ways
    from medqa_core.report.document.model import Table as DocumentTable
    from medqa_core.report.views.paired_items import PairedItems

SHOWN = 200
"""Lines of the table where nothing else is asked for."""

Words = Annotated[
    str, typer.Option("--find", help="Only runs with these words in id, title, state, base model, data or tags.")
]
Archived = Annotated[bool, typer.Option("--archived", help="Archived runs too.")]
Limit = Annotated[int | None, typer.Option(min=1, help=f"How many, newest first. Default: {SHOWN}, and all as JSON.")]


app = typer.Typer(rich_markup_mode=None)
app.command("rename")(run_labels.rename)
app.command("tag")(run_labels.tag)
app.command("note")(run_labels.note)
app.command("archive")(run_labels.archive)
app.command("delete")(run_labels.delete)
app.command("restore")(run_labels.restore)
app.command("bin")(run_labels.bin_)


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context, json: JsonFlag = False, find: Words = "", limit: Limit = None, archived: Archived = False
) -> None:
    """List the runs with their progress, compare and manage them.

    The list has the newest first, and the place in the queue of those that wait.
    """
    if context.invoked_subcommand is None:
        _list(find, limit, archived=archived, json=json)


@app.command()
def compare(first: RunArgument, second: RunArgument, json: JsonFlag = False) -> None:
    """Judge the second run's fine-tuned model against the first's.

    On the test questions of both. Two imported exam results are judged on the questions that both answered, where their
    sources brought the samples.
    """
    from medqa_core.report.comparison import seed_spread
    from medqa_core.report.document.between_tables import between_table
    from medqa_core.report.document.ways_table import ways_table
    from medqa_core.report.facts import Facts
    from medqa_core.report.views.between_runs import between, controls, ways
    from medqa_core.report.views.paired_items import paired_items
    from medqa_core.report.wording import ways as in_ways
    from medqa_core.report.wording.between_runs import notes, sentence

    store = store_of(Settings.from_environment())
    both = Facts.of(store.open(first)), Facts.of(store.open(second))
    exams = paired_items(both) if first != second else None
    if exams is not None:
        _exams(exams, json=json)
        return
    found, beside, answered, spread = between(*both), controls(*both), ways(*both), seed_spread(both)
    if json:
        between_seeds = asdict(spread) if spread is not None else None
        print_json(
            {**_facts_of(found), "controls": beside, "ways": _ways_facts(answered), "between_seeds": between_seeds}
        )
        return
    say(sentence(found))
    _say_table(between_table(found, beside))
    for line in notes(found):
        say(line)
    if spread is not None:
        say(spread.sentence())
    if answered is not None:
        say(f"\n{in_ways.TITLE} {in_ways.sentence(answered)}")
        _say_table(ways_table(answered))
        say(in_ways.caption(answered))


def _exams(found: "PairedItems", *, json: bool) -> None:
    """Two imported evaluations on the same exam questions."""
    from medqa_core.report.comparison import asked_differently
    from medqa_core.report.document.paired_items_table import paired_items_table
    from medqa_core.report.wording.paired_items import TITLE, caption, nothing

    names = found.first.run.id, found.second.run.id
    differing = asked_differently((found.first, found.second))
    if json:
        facts = {"first": names[0], "second": names[1], "exams": [asdict(task) for task in found.tasks]}
        print_json({**facts, "asked_differently": differing or None})
        return
    if differing:
        say(differing)
    if not found.tasks:
        say(nothing(*names))
        return
    say(f"{TITLE}:")
    _say_table(paired_items_table(found))
    say(caption(*names))


def _say_table(table: "DocumentTable") -> None:
    for row in table.texts:
        say("  ".join([row[0], *(f"{title} {text}" for title, text in zip(table.titles[1:], row[1:], strict=True))]))


def _ways_facts(found: "Ways | None") -> list[dict[str, Any]] | None:
    if found is None:
        return None
    return [
        {
            "name": way.name,
            "values": dict(way.values),
            "reader_against": {name: metric.model_dump(mode="json") for name, metric in way.against.items()},
        }
        for way in found.ways
    ]


def _facts_of(found: "BetweenRuns") -> dict[str, Any]:
    """The comparison for programs; a metric's values under the names of what they are."""
    metrics = {}
    for name, metric in found.metrics.items():
        values = metric.model_dump(mode="json")
        metrics[name] = {"first": values.pop("base"), "second": values.pop("fine_tuned"), **values}
    counts = {name: getattr(found, name) for name in ("questions", "of_first", "of_second", "groups")}
    return {"first": found.first, "second": found.second, **counts, "metrics": metrics, "left_out": found.left_out}


def _list(find: str, limit: int | None, *, archived: bool, json: bool) -> None:
    settings = Settings.from_environment()
    with suppress(MedQAError):  # a store that cannot be written is still listed
        launch.advance(settings)
    there = store_of(settings).list()
    found = [entry for entry in matching(there, find) if archived or not entry.archived]
    entries = found[: limit or (None if json else SHOWN)]
    progress = _Progress(settings)
    if json:
        print_json([{**asdict(e), "created_at": e.created_at.isoformat(), **progress.facts(e)} for e in entries])
        return
    if not there:
        say(f"No runs in {settings.reports}. Start one with: {PROGRAM} train --preset starter")
        return
    if not entries:
        away = sum(entry.archived for entry in there)
        hidden = f" {plural(away, 'run is', 'runs are')} archived; --archived lists them too." if away else ""
        what = f"has {find!r} in its id, title, state, base model, data or tags" if find else "is in use"
        say(f"None of the {count(len(there))} runs {what}.{hidden}")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "state", "created", "title"):
        table.add_column(column, no_wrap=column != "title")
    for entry in entries:
        created = "" if entry.problem and entry.kind == "unknown" else entry.created_at.strftime("%Y-%m-%d %H:%M")
        # As Text: in a plain string rich reads brackets as markup.
        table.add_row(*map(Text, (entry.id, progress.label(entry), created, entry.problem or entry.title)))
    Console().print(table)
    if len(found) > len(entries):
        say(f"The newest {count(len(entries))} of {count(len(found))}; --find WORDS or --limit N shows others.")


class _Progress:
    """The progress of the runs that are active or queued."""

    def __init__(self, settings: Settings) -> None:
        queue = watch.look(settings)
        self._current = {found.run.id: found for found in queue.current}
        self._position = {entry.run.id: place for place, entry in enumerate(queue.waiting, 1)}
        self._store = store_of(settings)

    def label(self, entry: RunEntry) -> str:
        """The state with its progress: `running 42% · 12 min left`."""
        if entry.id in self._position:
            return f"queued, {self._position[entry.id]} of {len(self._position)}"
        current = self._current.get(entry.id)
        if current is None:
            return entry.state
        if current.activity != "training":
            return current.activity
        share, left = current.share, current.status.remaining_seconds
        parts = [
            f"running {percent(share, 0)}" if share is not None else f"running: {current.status.stage or 'starting'}"
        ]
        return " · ".join(parts + [f"{duration(left)} left"] * (left is not None))

    def facts(self, entry: RunEntry) -> dict[str, Any]:
        """The same for programs; null where it is not known."""
        current = self._current.get(entry.id)
        status = current.status if current else self._status(entry)
        return {
            "activity": current.activity if current else None,
            "step": status.step if status else None,
            "total_steps": status.total_steps if status else None,
            "progress": status.progress if status else None,
            "remaining_seconds": status.remaining_seconds if status and current else None,
            "queue_position": self._position.get(entry.id),
            "error": status.error if status else None,
        }

    def _status(self, entry: RunEntry) -> Status | None:
        if entry.kind != "finetune":
            return None
        try:
            return read_model(self._store.path(entry.id), "status.json", Status)
        except RunError:
            return None
