"""What a node does, without Ray: the training of a run from a storage, stopped, taken up and ended there."""

from pathlib import Path

import pytest

import medqa_core
from medqa_core.cluster.follow import Follower
from medqa_core.cluster.launch import waiting_status
from medqa_core.cluster.nodes import run_workspace, worker
from medqa_core.cluster.request import ClusterRequest, Scaling
from medqa_core.cluster.storage import Storage
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import write_status
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.status import Status, now
from medqa_core.runs.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("smoke", "in_lab")  # the toy is made


@pytest.fixture(params=["folder", "address"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    (tmp_path / "far").mkdir()
    return Storage.at(str(tmp_path / "far") if request.param == "folder" else f"file://{tmp_path}/far")


@pytest.fixture
def far(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "far")


def submitted(far: RunStore, storage: Storage, version: str = medqa_core.__version__) -> tuple[Run, ClusterRequest]:
    record = far.new_record(from_preset("smoke"), "far")
    run = far.create(record, lambda folder: write_status(folder, waiting_status(None)))
    return run, ClusterRequest("far", storage.address, Scaling(), version)


def test_the_same_losses_as_anywhere(storage: Storage, far: RunStore, smoke: Run) -> None:
    run, request = submitted(far, storage)
    worker.train_worker(request.plain())
    assert run.state() == "completed"
    ours, theirs = run.metrics_log().validation, smoke.metrics_log().validation
    assert ours["loss"].tolist() == theirs["loss"].tolist()
    assert run.adapter_folder() is not None
    assert not list(run.folder.glob("checkpoints/*"))


@pytest.mark.parametrize("storage", ["address"], indirect=True)
def test_a_stop_that_is_asked_for_in_the_storage(
    storage: Storage, far: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_workspace, "EVERY_SECONDS", 0.01)
    run, request = submitted(far, storage)
    storage.request_stop("far")
    worker.train_worker(request.plain())
    assert run.state() == "stopped"
    storage.withdraw_stop("far")
    worker.train_worker(request.plain())  # a cluster that starts it again finds that it was stopped
    assert run.state() == "stopped"
    write_status(run.folder, waiting_status(run.status()).model_copy(update={"started_at": now()}))
    worker.train_worker(request.plain())
    assert run.state() == "completed"
    copy = RunStore(tmp_path / "copy")
    Follower(Storage.at(f"file://{tmp_path}/far"), copy).round(["far"])
    assert copy.open("far").state() == "completed"


@pytest.mark.parametrize(
    ("status", "over"),
    [
        (Status(state="running"), False),
        (Status(state="running", started_at=now()), False),
        (Status(state="completed", started_at=now()), True),
        (Status(state="stopped", started_at=now()), True),
        (Status(state="failed", started_at=now(), cause="nan"), True),
        (Status(state="failed", started_at=now(), cause="fault"), False),
        (Status(state="failed", started_at=now()), False),
    ],
    ids=lambda value: f"{value.state}-{value.cause}" if isinstance(value, Status) else "",
)
def test_when_another_attempt_is_worth_it(far: RunStore, status: Status, over: bool) -> None:
    run = far.create(far.new_record(from_preset("smoke"), "a"), lambda folder: write_status(folder, status))
    assert worker.has_ended(run) is over


def test_a_node_with_another_version_refuses(storage: Storage, far: RunStore) -> None:
    run, request = submitted(far, storage, "0.0.1")
    with pytest.raises(InputError, match="install the same everywhere"):
        worker.train_worker(request.plain())
    assert run.metrics_log().empty


def test_a_node_without_the_folder_says_so(tmp_path: Path) -> None:
    request = ClusterRequest("far", str(tmp_path / "nowhere"), Scaling(), medqa_core.__version__)
    with pytest.raises(InputError, match="this node has no folder"):
        worker.train_worker(request.plain())


def test_a_process_that_writes_nothing_reads_a_copy(storage: Storage, far: RunStore, lab: Settings) -> None:
    submitted(far, storage)
    with run_workspace.local_workspace(storage, "far", lab, main=False) as here:
        copy = RunStore(here.reports).open("far")
        assert copy.folder != far.path("far")
        write_status(copy.folder, Status(state="failed"))
    assert far.open("far").state() == "running"


def test_a_request_reaches_the_nodes_unchanged(storage: Storage) -> None:
    request = ClusterRequest("s", storage.address, Scaling(2, 3, 1, 4), "1", ({"id": "s-t01"},), 3)
    assert ClusterRequest.read(request.plain()) == request
