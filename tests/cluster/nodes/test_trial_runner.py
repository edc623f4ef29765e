"""A trial halts at each validation, and ends with a checkpoint and a reason where it is told to."""

from pathlib import Path

import pytest

import medqa_core
from medqa_core.cluster.grid import trials
from medqa_core.cluster.nodes.trial_runner import TrialRunner
from medqa_core.cluster.request import ClusterRequest, Scaling
from medqa_core.cluster.storage import Storage, sweep_name
from medqa_core.foundation.errors import InputError
from medqa_core.jobs.queue import write_status
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import Status, now
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training import checkpoint

pytestmark = pytest.mark.usefixtures("smoke", "in_lab")  # the toy is made


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.at(f"file://{tmp_path}/far")


@pytest.fixture
def far(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "far")


def runner(storage: Storage, far: RunStore, version: str = medqa_core.__version__) -> TrialRunner:
    first = trials(from_preset("smoke"), {"learning_rate": ["5e-3", "1e-3"]}, "s")[0]
    record = far.new_record(first.config, first.run_id).model_copy(update={"sweep": first.sweep})
    request = ClusterRequest("s", storage.address, Scaling(), version)
    return TrialRunner({"request": request.plain(), "record": record.model_dump(mode="json")})


def test_to_the_end(storage: Storage, far: RunStore) -> None:
    trial = runner(storage, far)
    reached = [one for one in (trial.next(), trial.next(), trial.next()) if one is not None]
    assert [one.number for one in reached] == [1, 2, 3] and trial.next() is None
    trial.end()
    run = far.open("s-t01")
    assert run.state() == "completed"
    assert run.metrics_log().validation["loss"].tolist()[1:] == [one.loss for one in reached]
    assert run.record.sweep is not None and run.record.sweep.parameters == {"learning_rate": 5e-3}
    assert run.record.base_model is not None


def test_ended_early_it_is_saved_and_says_why(storage: Storage, far: RunStore) -> None:
    trial = runner(storage, far)
    trial.next()
    trial.end()
    run = far.open("s-t01")
    status = run.status()
    assert status is not None and (status.state, status.step) == ("stopped", 4)
    assert "at step 4 its validation loss was above the median" in (status.error or "")
    found = checkpoint.newest(run.folder)
    assert found is not None and found.counters.step == 4


def test_on_another_node_validations_are_counted_on(storage: Storage, far: RunStore) -> None:
    """The scheduler compares a trial with the others at the validation that its run has come to."""
    lost = runner(storage, far)
    lost.next()
    lost.end()
    write_status(far.path("s-t01"), Status(state="running", started_at=now()))  # as a node that is lost leaves it
    trial = runner(storage, far)
    assert [one and one.number for one in (trial.next(), trial.next(), trial.next())] == [2, 3, None]
    trial.end()
    assert far.open("s-t01").state() == "completed"


def test_at_the_last_step_there_is_nothing_to_end(storage: Storage, far: RunStore) -> None:
    trial = runner(storage, far)
    for _ in range(3):
        trial.next()
    trial.end()
    assert far.open("s-t01").state() == "completed"


def test_a_sweep_that_was_stopped_starts_no_further_trial(storage: Storage, far: RunStore) -> None:
    storage.request_stop(sweep_name("s"))
    trial = runner(storage, far)
    assert trial.next() is None
    trial.end()
    assert not storage.holds("s-t01")


def test_what_is_no_fault_of_the_run_is_raised(storage: Storage, far: RunStore) -> None:
    with pytest.raises(InputError, match="install the same everywhere"):
        runner(storage, far, version="another").next()
