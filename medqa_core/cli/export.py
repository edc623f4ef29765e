"""`export` and `push`: a run's model as a folder that others load, here or on the Hugging Face hub."""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
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
    """Write a run's model as a folder that peft and transformers load, with its card and the run's report.

    At the root: the adapter (or with --merged the whole model), the model card and the results as the Hugging Face hub
    reads them; in report/: the run's record, figures and reports. Nothing is sent anywhere.
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
    private: Annotated[
        bool, typer.Option("--private", help="Make a new repository private; one that exists stays as it is.")
    ] = False,
    merged: MergedFlag = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the files and their sizes, and send nothing: look first.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Send a run's model, card and report to the Hugging Face hub, as `export` writes them.

    Needs a login that may write: `hf auth login`, or HF_TOKEN. The folder is sent as one commit and compared with what
    the hub then holds; files that the repository has besides stay.
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
        pushed = send(folder, files, repo, f"MedQA Lab run {opened.id}", private=private, progress=note)
    if json:
        print_json({**planned, "sent": True, **asdict(pushed)})
        return
    say(
        f"{opened.id}: sent to {pushed.url}; the hub holds all {plural(pushed.files_checked, 'file')} as they are here."
    )


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
