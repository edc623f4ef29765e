"""A real Ray cluster of two nodes on this machine: training on both, a sweep, and a node that dies under a run."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from safetensors.torch import load_file
from streamlit.testing.v1 import AppTest

from medqa_core.cli.app import main
from medqa_core.cluster import connect, launch
from medqa_core.cluster.request import Scaling
from medqa_core.cluster.storage import Storage
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.train import train

pytestmark = [pytest.mark.reliability, pytest.mark.filterwarnings("ignore")]  # Ray's and its packages' own warnings
pytest.importorskip("ray", reason="Ray is not installed (pip install -r requirements-ray.txt)")
NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20}
"""Two processors are claimed for each node, however many the machine has: what is tested is not speed."""
MAIN = PACKAGE_ROOT / "pages" / "main.py"


class Nodes(NamedTuple):
    cluster: Any
    second: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)


@pytest.fixture(scope="module")
def nodes(lab: Settings, smoke: Run) -> Iterator[Nodes]:
    """Two nodes with addresses of this machine's own: Ray takes 127.0.0.1 for `my address in the network`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDQA_CACHE", str(lab.cache))
        patch.setenv("PYTHONPATH", str(PACKAGE_ROOT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        from ray.cluster_utils import Cluster

        head = {**NODE, "node_ip_address": "127.0.0.2", "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            second = cluster.add_node(**NODE, node_ip_address="127.0.0.3")
            yield Nodes(cluster, second)
        finally:
            cluster.shutdown()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "POLL_SECONDS", 0.2)


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["cluster", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_two_workers_give_the_losses_of_one_process(
    nodes: Nodes, lab: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"batch_size": "7", "epochs": "1", "train_size": "32", "weight_decay": "0.01"}
    alone = train(from_preset("smoke", changes), Settings(tmp_path / "alone", lab.cache, None, None, False))
    fields = [word for name, value in changes.items() for word in ("--set", f"{name}={value}")]
    place = ["--address", nodes.address, "--workers", "2", "--storage", str(tmp_path / "shared")]
    assert command("train", "--preset", "smoke", "--run-id", "two", *fields, *place) == 0
    assert "two: completed after 5 of 5 steps" in capsys.readouterr().out
    together = RunStore(tmp_path / "shared").open("two")
    for split in ("train", "validation"):
        ours, theirs = getattr(together.metrics_log(), split), getattr(alone.metrics_log(), split)
        assert ours["step"].tolist() == theirs["step"].tolist()
        assert ours["loss"].tolist() == pytest.approx(theirs["loss"].tolist(), abs=1e-5)
        assert ours["tokens"].tolist() == theirs["tokens"].tolist()
    weights = [load_file(run.folder / "adapter" / "adapter_model.safetensors") for run in (together, alone)]
    assert all((value - weights[1][key]).abs().max() < 1e-4 for key, value in weights[0].items())
    assert os.listdir(tmp_path / "shared") == ["two"]


def test_a_sweep_is_a_family_on_compare_runs(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over an address: each trial writes to a disk of its own, and the store here has copies."""
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "here"))
    place = ["--address", nodes.address, "--max-parallel", "2", "--storage", f"file://{tmp_path}/far"]
    tried = ["--learning-rate", "5e-3,4e-3,1e-6,2e-6", "--grace", "1", "--sweep-id", "s"]
    assert command("sweep", "--preset", "smoke", "--set", "epochs=3", *tried, *place) == 0
    said = capsys.readouterr().out
    store = RunStore(tmp_path / "here")
    runs = {run_id: store.open(run_id) for run_id in ("s-t01", "s-t02", "s-t03", "s-t04")}
    assert [runs[run_id].state() for run_id in ("s-t03", "s-t04")] == ["stopped", "stopped"]
    for run_id in ("s-t03", "s-t04"):
        status = runs[run_id].status()
        assert status is not None and status.error is not None and "Ended early by its sweep" in status.error
        assert 0 < status.step < (status.total_steps or 0)
    assert "completed" in {runs["s-t01"].state(), runs["s-t02"].state()}
    losses = {run_id: run.status().best.validation_loss for run_id, run in runs.items()}  # type: ignore[union-attr]
    best = min(losses, key=lambda run_id: losses[run_id])
    assert f"{best}: {runs[best].state()}, validation loss {losses[best]:.4f} · lowest" in said
    assert all(run.adapter_folder() is not None for run in runs.values())
    page = AppTest.from_file(MAIN, default_timeout=60)
    page.query_params["run"] = "s-t03"
    page.switch_page("compare/compare.py").run()
    assert not page.exception
    text = "".join(block.proto.body for block in page.get("html"))
    assert f"{best} has the lowest validation loss" in text and "Cost: 4 trials" in text


def test_stopped_by_a_signal_it_goes_on_later(nodes: Nodes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The signal is the launcher's; the workers hear of it through the storage."""
    place = ["--address", nodes.address, "--storage", str(tmp_path / "shared")]
    started = tmp_path / "shared" / "long" / "metrics.jsonl"

    def terminate() -> None:
        until = time.monotonic() + 300
        while not (started.exists() and started.read_text().count("\n") > 8) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    assert command("train", "--preset", "smoke", "--set", "epochs=60", "--run-id", "long", *place) == 0
    assert "long: stopped after" in capsys.readouterr().out
    run = RunStore(tmp_path / "shared").open("long")
    stopped = run.status()
    assert stopped is not None and 0 < stopped.step < 360
    assert list((run.folder / "checkpoints").iterdir())
    assert not (run.folder / "stop.request").exists()
    assert command("train", "--resume", "long", *place) == 0
    status = run.status()
    assert status is not None and (status.state, status.step, status.attempt) == ("completed", 360, 2)
    assert run.metrics_log().train["step"].tolist() == list(range(1, 361))


def test_a_run_survives_the_death_of_a_node(nodes: Nodes, lab: Settings, tmp_path: Path) -> None:
    """The second node goes in the middle: both workers go on, on the first, from the newest checkpoint."""
    config = from_preset("smoke", {"epochs": 40, "eval_steps": 8})
    shared = tmp_path / "shared"
    shared.mkdir()
    killed: list[int] = []

    def watch(runs: list[Run]) -> None:
        status = runs[0].status()
        if not killed and status is not None and status.step >= 16:
            killed.append(status.step)
            nodes.cluster.remove_node(nodes.second, allow_graceful=False)

    share = Scaling(workers=2, max_failures=3)
    run = launch.train_on_cluster(
        config, lab, Storage.at(str(shared)), nodes.address, share, run_id="survivor", watch=watch
    )
    status = run.status()
    assert killed and killed[0] < 240
    assert status is not None
    assert (run.state(), status.step, status.attempt >= 2) == ("completed", 240, True), status
    rows = run.metrics_log().train
    assert rows["step"].tolist() == list(range(1, 241))
    alone = train(config, Settings(tmp_path / "alone", lab.cache, None, None, False)).metrics_log().train
    assert rows["loss"].tolist() == pytest.approx(alone["loss"].tolist(), abs=1e-3)
