"""A sweep that a cluster runs: trials made from a grid, each a run of its own, the hopeless ones ended early."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import medqa_core
from medqa_core.cluster.connect import ClusterFailed, connected
from medqa_core.cluster.follow import Follower
from medqa_core.cluster.grid import Trial
from medqa_core.cluster.job import Job, Share
from medqa_core.cluster.launch import Watch, refuse_taken, store_for
from medqa_core.cluster.storage import Storage, sweep_name
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import check
from medqa_core.runs.run import Run

SWEEP = "medqa_core.cluster.nodes.driver:sweep"


def sweep(
    trials: Sequence[Trial],
    settings: Settings,
    storage: Storage,
    address: str,
    share: Share,
    *,
    grace: int = 2,
    stopping: Callable[[], bool] = lambda: False,
    watch: Watch = lambda _: None,
) -> list[Run]:
    """Run the trials on the cluster at `address`, `share.workers` at a time, and return those that came to be.

    Args:
        trials: what `grid.trials` made.
        settings: where the copies go if the storage is an address.
        storage: where the nodes write.
        address: the cluster's.
        share: what each trial gets.
        grace: validations that each trial may have before it can be ended early.
        stopping: asked every other second whether to stop them all.
        watch: gets the runs as often.

    Raises:
        InputError: a configuration, id or address that is not valid.
        RayMissing: Ray is not installed.
        ClusterFailed: the cluster gave up.
    """
    store = store_for(storage, settings)
    number, name = store.next_number(), trials[0].sweep.id
    records = []
    for place, trial in enumerate(trials):
        store.check_free(trial.run_id)
        refuse_taken(storage, trial.run_id)
        draft = store.new_record(check(trial.config, settings), trial.run_id)
        title = f"{trial.config.title[:100]}, trial {trial.sweep.trial} of {name}"
        made = draft.model_copy(update={"number": number + place, "sweep": trial.sweep, "title": title})
        records.append(made.model_dump(mode="json"))
    follower, ids = Follower(storage, store), [trial.run_id for trial in trials]
    asked = False

    def there() -> list[str]:
        if storage.folder is None:
            follower.round([run_id for run_id in ids if storage.holds(run_id)])
        return [run_id for run_id in ids if store.path(run_id).is_dir()]

    def meanwhile() -> None:
        nonlocal asked
        with suppress(OSError):  # out of reach for a moment; the nodes go on, and so does the next round
            if stopping() and not asked:
                storage.ask(sweep_name(name))
                asked = True
            watch([store.open(run_id) for run_id in there()])

    job = Job(name, storage.address, share, medqa_core.__version__, tuple(records), grace)
    with connected(address) as cluster:
        cluster.refuse_too_much(1, share.cpus, share.gpus)
        storage.discard(sweep_name(name))
        try:
            cluster.run(SWEEP, job.plain(), meanwhile)
        except ClusterFailed:
            there()
            raise
        finally:
            storage.discard(f".ray-{name}")
            storage.discard(sweep_name(name))
    return [store.open(run_id) for run_id in there()]
