"""`runs rename`, `tag`, `note`, `archive`, `delete`, `restore`, `bin`: the store kept in order."""

import sys
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.disk import folder_size
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import bytes_size, date, plural
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import remove
from medqa_core.jobs.queue import store_of
from medqa_core.runs.store import bin
from medqa_core.runs.store.labelling import LabelChange, change_labels


def rename(
    run: RunArgument,
    title: Annotated[str, typer.Argument(help="The new title; empty: the one that the run was made with.")],
    json: JsonFlag = False,
) -> None:
    """Give a run another title.

    Its id, and the files that `verify` checks, stay as they are.
    """
    _change(run, LabelChange(title=title), json=json)


def tag(
    run: RunArgument,
    tags: Annotated[list[str], typer.Argument(help="One or more tags, of up to 40 characters.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take these tags off.")] = False,
    json: JsonFlag = False,
) -> None:
    """Tag a run, so that `runs --find` and the pages find it."""
    _change(run, LabelChange(remove_tags=tuple(tags)) if remove else LabelChange(add_tags=tuple(tags)), json=json)


def note(
    run: RunArgument,
    text: Annotated[str, typer.Argument(help="Up to 2,000 characters; empty: none.")],
    json: JsonFlag = False,
) -> None:
    """Keep a note with a run, in place of the one before."""
    _change(run, LabelChange(note=text), json=json)


def archive(
    run: RunArgument,
    undo: Annotated[bool, typer.Option("--undo", help="Back into the lists.")] = False,
    json: JsonFlag = False,
) -> None:
    """Leave a run out of lists; its id still opens it."""
    _change(run, LabelChange(archived=not undo), json=json)


def delete(
    run: RunArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonFlag = False,
) -> None:
    """Move a run to the bin.

    `runs restore` takes it back for 30 days.
    """
    settings = Settings.from_environment()
    store = store_of(settings)
    if not yes and sys.stdin.isatty():
        size = bytes_size(folder_size(store.path(run)))
        typer.confirm(f"Move {run} ({size}) to the bin?", abort=True)
    elif not yes:
        raise InputError(f"{run} is deleted only with --yes where nobody can be asked.", field="--yes")
    gone = remove.delete(run, settings)
    bin.empty(store)
    if json:
        print_json({"run": run, "deleted_at": gone.deleted_at.isoformat(), "kept_until": gone.gone_at.isoformat()})
    else:
        say(f"{run} is in the bin until {date(gone.gone_at)}. Take it back with: {PROGRAM} runs restore {run}")


def restore(
    run: RunArgument,
    new_id: Annotated[str | None, typer.Option("--as", help="Another id, where its own is taken by now.")] = None,
    json: JsonFlag = False,
) -> None:
    """Take a deleted run out of the bin."""
    there = bin.restore(store_of(Settings.from_environment()), run, new_id=new_id)
    print_json({"run": there}) if json else say(f"{there} is back.")


def bin_(
    empty: Annotated[bool, typer.Option("--empty", help="Remove all of them for good.")] = False,
    json: JsonFlag = False,
) -> None:
    """List the deleted runs, which are kept for 30 days."""
    store = store_of(Settings.from_environment())
    gone = bin.empty(store, before=bin.moment() if empty else None)
    found = bin.deleted(store)
    if json:
        rows = [{"run": r.id, "title": r.title, "deleted_at": r.deleted_at.isoformat()} for r in found]
        print_json({"removed": gone, "runs": rows})
        return
    if gone:
        say(f"{plural(gone, 'run')} removed for good.")
    for one in found:
        say(f"{one.id}  deleted {date(one.deleted_at)}, kept until {date(one.gone_at)}  {one.title}")
    if not found:
        say("The bin is empty.")


def _change(run: str, change: LabelChange, *, json: bool) -> None:
    labels = change_labels(store_of(Settings.from_environment()), run, change)
    if json:
        print_json({"run": run, **labels.model_dump(mode="json")})
        return
    parts = [f"title {labels.title!r}" if labels.title else "its own title"]
    parts += [f"tags {', '.join(labels.tags)}"] if labels.tags else []
    parts += ["a note"] if labels.note else []
    parts += ["archived"] if labels.archived else []
    say(f"{run}: {', '.join(parts)}.")
