"""`runs`: the list of runs."""

from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from medqa_core.cli.output import JsonFlag, print_json, say
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store import RunStore


def runs(json: JsonFlag = False) -> None:
    """List the runs of the store, newest first."""
    settings = Settings.from_environment()
    entries = RunStore(settings.reports).list()
    if json:
        print_json([{**asdict(e), "created_at": e.created_at.isoformat()} for e in entries])
        return
    if not entries:
        say(f"No runs in {settings.reports}. Start one: python -m medqa_core train --preset starter")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("run", "state", "created", "title"):
        table.add_column(column, no_wrap=column != "title")
    for entry in entries:
        created = "" if entry.problem and entry.kind == "unknown" else entry.created_at.strftime("%Y-%m-%d %H:%M")
        # As Text: in a plain string rich reads brackets as markup.
        table.add_row(*map(Text, (entry.id, entry.state, created, entry.problem or entry.title)))
    Console().print(table)
