"""`cluster`: fine-tunes and sweeps on a Ray cluster that is already there."""

from typing import Annotated, Any

import typer

from medqa_core.cli.output import Bars, JsonFlag, SetOption, note, print_json, say, say_end
from medqa_core.cli.signals import requesting
from medqa_core.cluster import follow as following
from medqa_core.cluster import launch
from medqa_core.cluster.grid import trials, values_of
from medqa_core.cluster.request import Scaling
from medqa_core.cluster.storage import Storage
from medqa_core.cluster.sweep import sweep_on_cluster
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import duration, general, number, plural
from medqa_core.foundation.settings import Settings
from medqa_core.report.sweep import Family, family
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import parse_assignments
from medqa_core.runs.schema.presets import CUSTOM, DEFAULT, PRESETS, from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.stop import StopFlag

app = typer.Typer(
    help="Run a fine-tune or a sweep on a Ray cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

PresetOption = Annotated[
    str | None, typer.Option(help=f"Where to start from: {', '.join([*PRESETS, CUSTOM])}. Default: {DEFAULT}.")
]
AddressOption = Annotated[
    str, typer.Option(help="The cluster's address: HOST:PORT, ray://HOST:PORT, or `auto` on one of its nodes.")
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER_OR_URL",
        help="Where the nodes write runs: a folder that all of them see, or an address that fsspec knows such as "
        "s3://bucket/runs. Default: the run store.",
    ),
]
CpusOption = Annotated[int, typer.Option(min=1, help="CPUs that each worker takes.")]
GpusOption = Annotated[int, typer.Option(min=0, help="GPUs that each worker takes.")]
FailuresOption = Annotated[int, typer.Option(min=0, help="How often to restart after a worker or its node was lost.")]


@app.command("train")
def train(
    preset: PresetOption = None,
    set_: SetOption = None,
    run_id: Annotated[str | None, typer.Option(help="Id of the new run; default: the preset's name.")] = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Resume a run of the storage.")] = None,
    address: AddressOption = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Processes that train together, spread over the nodes.")] = 1,
    cpus: CpusOption = 1,
    gpus: GpusOption = 0,
    storage: StorageOption = None,
    max_failures: FailuresOption = 3,
    json: JsonFlag = False,
) -> None:
    """Fine-tune data-parallel on a cluster's nodes.

    The run is followed until it ends. Ctrl-C saves a checkpoint and stops. The steps are those of one process: more
    workers only change the time.
    """
    if resume is not None and (preset is not None or set_ or run_id is not None):
        raise InputError(
            "a resumed run keeps its id and configuration; leave out --preset, --set and --run-id.", field="--resume"
        )
    settings = Settings.from_environment()
    target, scaling = _storage(storage, settings), Scaling(workers, cpus, gpus, max_failures)
    stop = StopFlag()
    with Bars() as bars, requesting(stop):

        def watch(runs: list[Run]) -> None:
            status = runs[0].status()
            if status is not None and status.total_steps:
                bars("training", status.step, status.total_steps, status.stage or "")

        callbacks: dict[str, Any] = {"stopping": lambda: stop.requested, "watch": watch}
        if resume is not None:
            run = launch.resume_on_cluster(resume, settings, target, address, scaling, **callbacks)
        else:
            config = from_preset(preset or DEFAULT, parse_assignments(set_ or []))
            run = launch.train_on_cluster(config, settings, target, address, scaling, run_id=run_id, **callbacks)
    say_end(run, json=json)


@app.command("sweep")
def sweep(
    preset: PresetOption = None,
    set_: SetOption = None,
    sweep_id: Annotated[str, typer.Option(help="Name of the sweep; its runs are NAME-t01, NAME-t02, …")] = "sweep",
    learning_rate: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Learning rates, such as 5e-4,1e-3,2e-3.")
    ] = None,
    rank: Annotated[str | None, typer.Option(metavar="A,B,…", help="Ranks of the adapter, such as 8,16.")] = None,
    train_size: Annotated[
        str | None, typer.Option(metavar="A,B,…", help="Numbers of training examples, such as 500,2000.")
    ] = None,
    grace: Annotated[int, typer.Option(min=1, help="Validations of each trial before it can be ended early.")] = 2,
    address: AddressOption = "auto",
    max_parallel: Annotated[int, typer.Option(min=1, help="Trials at a time.")] = 2,
    cpus: CpusOption = 1,
    gpus: GpusOption = 0,
    storage: StorageOption = None,
    max_failures: FailuresOption = 1,
    json: JsonFlag = False,
) -> None:
    """Train every combination of the values as a run of its own.

    Those that fall behind are ended early. Ctrl-C saves a checkpoint of each and stops. Compare runs shows the sweep as
    one family.
    """
    settings = Settings.from_environment()
    target = _storage(storage, settings)
    config = from_preset(preset or DEFAULT, parse_assignments(set_ or []))
    values = {
        "learning_rate": values_of("--learning-rate", learning_rate),
        "lora_rank": values_of("--rank", rank),
        "train_size": values_of("--train-size", train_size),
    }
    planned, stop = trials(config, values, sweep_id), StopFlag()
    with requesting(stop):
        note(f"{plural(len(planned), 'trial')}, {max_parallel} at a time")
        runs = sweep_on_cluster(
            planned,
            settings,
            target,
            address,
            Scaling(max_parallel, cpus, gpus, max_failures),
            grace=grace,
            stopping=lambda: stop.requested,
        )
    found = family(runs)
    if json:
        print_json(found.plain() if found else None)
    else:
        _say_family(found)


@app.command("follow")
def follow(
    url: Annotated[str, typer.Argument(metavar="URL", help="The storage that a cluster writes to.")],
    run: Annotated[list[str] | None, typer.Option(metavar="RUN", help="Only this run; may be repeated.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Bring them up to date and stop.")] = False,
    json: JsonFlag = False,
) -> None:
    """Copy the runs of a storage into the run store as they grow.

    Every few seconds, so that the pages here show their progress. `stop RUN` here is passed on to the cluster. It ends
    when all the runs have ended.
    """
    settings = Settings.from_environment()
    source, store = Storage.at(url), RunStore(settings.reports)
    try:
        ids = following.follow(
            source, store, run, once=once, on_round=lambda ids: note(f"{plural(len(ids), 'run')} up to date")
        )
    except OSError as error:
        raise InputError(f"{source.address} cannot be read: {error}", field="URL") from error
    except KeyboardInterrupt:
        raise typer.Abort from None
    states = {run_id: store.open(run_id).state() for run_id in ids}
    if json:
        print_json(states)
        return
    for run_id, state in states.items():
        say(f"{run_id}: {state}")
    if not states:
        say(f"No runs in {source.address}.")


def _storage(given: str | None, settings: Settings) -> Storage:
    storage = Storage.at(given or str(settings.reports))
    if storage.folder is not None:
        storage.folder.mkdir(parents=True, exist_ok=True)
    return storage


def _say_family(found: Family | None) -> None:
    if found is None:
        say("None of its trials was started.")
        return
    for trial in found.trials:
        values = ", ".join(f"{name} {general(v) if not isinstance(v, str) else v}" for name, v in trial.values.items())
        best = " · lowest" if found.best is trial else ""
        say(f"{trial.run_id}: {trial.state}, validation loss {number(trial.loss)}{best} ({values})")
    say(f"{plural(len(found.trials), 'trial')}, {duration(found.seconds)} of training, {found.tokens:,} tokens.")
