"""`export` and `push`: a run's model as a folder that others load, here or on the Hugging Face hub."""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.format import bytes_size, plural
from medqa_core.foundation.settings import Settings
from medqa_core.report.hub.folder import File, Fill, write_hub_folder
from medqa_core.report.hub.push import check_repo
from medqa_core.report.hub.push import push as send
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

MergedFlag = Annotated[
    bool, typer.Option("--merged", help="Whole weights, the adapter merged in, with tokenizer; float32.")
]


def export(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to; must not exist yet.")],
    merged: MergedFlag = False,
    json: JsonFlag = False,
) -> None:
    """Write a run's model as peft and transformers load it.

    At the root of the folder: the adapter (or with --merged the whole model), the model card and the results as the
    Hugging Face hub reads them; in report/: the run's record, figures and reports. Nothing is sent anywhere.

    For GGUF, convert what --merged writes with llama.cpp's own convert_hf_to_gguf.py (docs/export.md has the commands).
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    files = write_hub_folder(opened, to, merged=_merging(opened, settings) if merged else None)
    if json:
        print_json({"run": opened.id, "folder": str(to), "files": [asdict(one) for one in files]})
        return
    _list(files)
    say(f"{opened.id}: written to {to}")


def push(
    run: RunArgument,
    repo: Annotated[str, typer.Option("--repo", metavar="OWNER/NAME", help="The repository on the hub.")],
    public: Annotated[
        bool,
        typer.Option("--public", help="Make a new repository public, not private; one that exists stays as it is."),
    ] = False,
    merged: MergedFlag = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is sent.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files and their sizes, and send nothing: look first.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Send a run's model to the Hugging Face hub.

    With its card and report, as `export` writes them. Lists the files and asks before it sends anything. A repository
    that is not there is made, private unless --public is given. Needs a login that may write: `hf auth login`, or
    HF_TOKEN. The folder is sent as one commit and compared with what the hub then holds; files that the repository has
    besides stay.
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    check_repo(repo)
    settings.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".push-", dir=settings.cache) as temporary:
        folder = Path(temporary) / "repository"
        files = write_hub_folder(opened, folder, merged=_merging(opened, settings) if merged else None, repo=repo)
        planned = {"run": opened.id, "repo": repo, "files": [asdict(one) for one in files]}
        if not json:
            _list(files)
        if dry_run:
            print_json({**planned, "sent": False}) if json else say(f"Nothing was sent to {repo}: a dry run.")
            return
        if not yes:
            _ask(repo, files, public=public)
        pushed = send(folder, files, repo, f"MedQA Lab run {opened.id}", private=not public, progress=note)
    if json:
        print_json({**planned, "sent": True, **asdict(pushed)})
        return
    say(
        f"{opened.id}: sent to {pushed.url}; the hub holds all {plural(pushed.files_checked, 'file')} as they are here."
    )


def _ask(repo: str, files: Sequence[File], *, public: bool) -> None:
    """Go on only if a person says so."""
    if not sys.stdin.isatty():
        raise InputError(f"nothing was sent to {repo}; give it where nobody can be asked.", field="--yes")
    size = bytes_size(sum(one.size for one in files))
    kind = "public" if public else "private"
    asked = f"Send {plural(len(files), 'file')} ({size}) to {repo}? Where it is not there it is made, {kind}."
    if not typer.confirm(asked, err=True):
        raise MedQAError(f"Nothing was sent to {repo}.")


def _merging(run: Run, settings: Settings) -> Fill:
    def fill(folder: Path) -> None:
        from medqa_core.models.merge import save_merged

        save_merged(run, settings, folder, note)

    return fill


def _list(files: Sequence[File]) -> None:
    for one in files:
        say(f"{bytes_size(one.size):>10}  {one.path}")
    total = bytes_size(sum(one.size for one in files))
    say(f"{total:>10}  in {plural(len(files), 'file')}")
