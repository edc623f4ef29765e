"""A sweep on a cluster: the trials of a grid, each a run of its own, those that fall behind ended early."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import medqa_core
from medqa_core.cluster.connect import ClusterFailed, connected
from medqa_core.cluster.follow import Follower
from medqa_core.cluster.grid import TrialSpec
from medqa_core.cluster.launch import refuse_taken, store_for
from medqa_core.cluster.request import ClusterRequest, Scaling
from medqa_core.cluster.storage import Storage, sweep_name
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import check
from medqa_core.runs.run import Run

DRIVER = "medqa_core.cluster.nodes.driver:drive_sweep"


def sweep_on_cluster(
    trials: Sequence[TrialSpec],
    settings: Settings,
    storage: Storage,
    address: str,
    scaling: Scaling,
    *,
    grace: int = 2,
    stopping: Callable[[], bool] = lambda: False,
) -> list[Run]:
    """Run the trials on the cluster at `address`, `scaling.workers` at a time, and return those that were started.

    Args:
        trials: what `grid.trials` made.
        settings: where the copies go if the storage is an address.
        storage: where the nodes write.
        address: the cluster's.
        scaling: how many trials at a time, and what each gets.
        grace: validations that each trial may have before it can be ended early.
        stopping: asked every other second whether to stop them all.

    Raises:
        InputError: a configuration, id or address that is not valid.
        RayMissing: Ray is not installed.
        ClusterFailed: the cluster gave up.
    """
    store = store_for(storage, settings)
    number, name = store.next_number(), trials[0].sweep.id
    records = []
    for offset, trial in enumerate(trials):
        store.check_free(trial.run_id)
        refuse_taken(storage, trial.run_id)
        draft = store.new_record(check(trial.config, settings), trial.run_id)
        title = f"{trial.config.title[:100]}, trial {trial.sweep.trial} of {name}"
        record = draft.model_copy(update={"number": number + offset, "sweep": trial.sweep, "title": title})
        records.append(record.model_dump(mode="json"))
    follower, ids = Follower(storage, store), [trial.run_id for trial in trials]
    asked = False

    def mirror() -> None:
        if storage.folder is None:
            follower.round([run_id for run_id in ids if storage.holds(run_id)])

    def on_poll() -> None:
        nonlocal asked
        with suppress(OSError):  # unavailable for a moment; the nodes continue, and the next round tries again
            if stopping() and not asked:
                storage.request_stop(sweep_name(name))
                asked = True
            mirror()

    request = ClusterRequest(name, storage.address, scaling, medqa_core.__version__, tuple(records), grace)
    with connected(address) as cluster:
        cluster.refuse_too_much(1, scaling.cpus, scaling.gpus)
        storage.discard(sweep_name(name))
        try:
            cluster.run(DRIVER, request.plain(), on_poll)
        except ClusterFailed:
            mirror()
            raise
        finally:
            storage.discard(f".ray-{name}")
            storage.discard(sweep_name(name))
    mirror()
    return [store.open(run_id) for run_id in ids if store.path(run_id).is_dir()]
