"""A graph at work: any layout of the same tokens gives the same logits, and 8-bit weights are near the others."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import torch
from numpy.typing import NDArray
from openvino import opset13 as ops

from medqa_core.foundation.settings import Settings
from medqa_core.models import openvino_ir
from medqa_core.models.openvino_graph import Graph, Session, quantise
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.run import Run

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("no_network")
IDS = np.array([[9, 33, 71, 5, 200, 41], [8, 2, 90, 17, 6, 12]])
OFF = np.zeros(2, np.float32)


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


@pytest.fixture(scope="module")
def graph(variants: ModelVariants, lab: Settings) -> Graph:
    return Graph(openvino_ir.ensure(variants, "base", lab.cache) / openvino_ir.GRAPH, threads=1)


@pytest.fixture(scope="module")
def expected(variants: ModelVariants) -> NDArray[np.float32]:
    """(2, 6, vocabulary), of the base model."""
    with torch.inference_mode(), variants.using("base") as model:
        found: NDArray[np.float32] = model(input_ids=torch.from_numpy(IDS)).logits.numpy()
    return found


def step(
    session: Session, ids: NDArray[np.int64], before: int = 0, keep: list[int] | None = None
) -> NDArray[np.float32]:
    rows, new = ids.shape
    mask = np.ones((rows, before + new), np.int64)
    positions = np.broadcast_to(np.arange(before, before + new), (rows, new)).copy()
    found = session.step(ids, mask, positions, range(new) if keep is None else keep, np.zeros(rows, np.float32))
    return np.array(found, np.float32)


@pytest.mark.parametrize("sizes", [[6], [1] * 6, [2, 3, 1]])
def test_tokens_read_in_parts_give_what_they_give_at_once(
    graph: Graph, expected: NDArray[np.float32], sizes: list[int]
) -> None:
    session, found, before = graph.session(), [], 0
    for size in sizes:
        found.append(step(session, IDS[:, before : before + size], before))
        before += size
    assert np.allclose(np.concatenate(found, 1), expected, atol=1e-4)


def test_the_wanted_places_logits_come_alone(graph: Graph, expected: NDArray[np.float32]) -> None:
    found = step(graph.session(), IDS, keep=[1, 5])
    assert found.shape == (2, 2, expected.shape[2]) and np.allclose(found, expected[:, [1, 5]], atol=1e-4)


def test_masked_places_do_not_count(graph: Graph, expected: NDArray[np.float32]) -> None:
    """Padding before a prompt, and what was taken back in between."""
    ids = np.array([[0, 9, 33, 500, 71], [0, 8, 2, 501, 90]])
    mask = np.array([[0, 1, 1, 0, 1]] * 2)
    found = graph.session().step(ids, mask, np.array([[0, 0, 1, 2, 2]] * 2), [4], OFF)
    assert np.allclose(found[:, 0], expected[:, 2], atol=1e-4)


def test_two_batches_at_work_do_not_disturb_each_other(graph: Graph, expected: NDArray[np.float32]) -> None:
    one, other = graph.session(), graph.session()
    step(one, IDS[:, :3])
    step(other, IDS[::-1, :5])
    assert np.allclose(step(one, IDS[:, 3:], 3), expected[:, 3:], atol=1e-4)
    assert np.allclose(step(other, IDS[::-1, 5:], 5), expected[::-1, 5:], atol=1e-4)


def test_the_state_can_be_put_into_another_order(graph: Graph, expected: NDArray[np.float32]) -> None:
    session = graph.session()
    step(session, IDS[:, :4])
    session.set_states([state[[1, 0, 1]] for state in session.states()])
    found = step(session, IDS[[1, 0, 1], 4:], 4)
    assert np.allclose(found, expected[[1, 0, 1], 4:], atol=1e-4)


def test_each_rows_switch_decides_on_its_adapter(graph: Graph, variants: ModelVariants) -> None:
    ids = np.repeat(IDS[:1], 2, 0)
    mask, positions = np.ones_like(ids), np.broadcast_to(np.arange(6), (2, 6)).copy()
    found = graph.session().step(ids, mask, positions, [5], np.array([0, 1], np.float32))
    for row, variant in enumerate(("base", "fine_tuned")):
        with torch.inference_mode(), variants.using(variant) as model:  # type: ignore[arg-type]
            expected = model(input_ids=torch.from_numpy(IDS[:1])).logits[0, -1].numpy()
        assert np.allclose(found[row, 0], expected, atol=1e-4)
    assert not np.allclose(found[0], found[1], atol=1e-3)


def product(weight: NDArray[np.float32], transposed: bool = True) -> ov.Model:
    x = ops.parameter(ov.PartialShape([-1, weight.shape[1] if transposed else weight.shape[0]]), np.float32)
    return ov.Model([ops.matmul(x, ops.constant(weight), False, transposed)], [x])


def constants(graph: ov.Model) -> list[str]:
    return [op.get_element_type().get_type_name() for op in graph.get_ops() if op.get_type_name() == "Constant"]


@pytest.mark.parametrize("transposed", [True, False])
def test_8_bit_weights_are_within_half_a_level(transposed: bool) -> None:
    """A row of one sign, one of a single value, one of zeros, one a thousand times larger: each has its own levels."""
    weight = np.random.default_rng(0).normal(size=(128, 160)).astype(np.float32)
    weight[0], weight[1], weight[2], weight[3] = abs(weight[0]), 0.7, 0, weight[3] * 1000
    graph = product(weight if transposed else weight.T.copy(), transposed)
    quantise(graph)
    assert "u8" in constants(graph)
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(np.eye(160, dtype=np.float32))[0].T  # the weights themselves
    level = (np.maximum(weight.max(1), 0) - np.minimum(weight.min(1), 0)) / 255
    assert (abs(found - weight).max(1) <= 0.51 * level + 1e-6).all()
    assert abs(found - weight).max() > 0


@pytest.mark.parametrize("shape", [(16, 2048), (2048, 8), (100, 100)])
def test_small_matrices_and_an_adapters_stay_as_they_are(shape: tuple[int, int]) -> None:
    graph = product(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    quantise(graph)
    assert "u8" not in constants(graph)


def test_a_signal_is_handled_after_graphs_were_freed() -> None:
    """OpenVINO gives a thread a stack for signals, and takes it back."""
    code = (
        "import os, signal, numpy as np\n"
        "from medqa_core.models.openvino_graph import Graph, ops, ov\n"  # which keeps OpenVINO from reporting it
        "def small():\n"
        "    port = ops.parameter([1], np.float32)\n"
        "    return ov.Model([ops.relu(port)], [port])\n"
        "first, second = Graph(small()), Graph(small())\n"
        "del first\n"
        "del second\n"
        "signal.signal(signal.SIGINT, lambda *_: print('handled'))\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert (done.returncode, done.stdout.strip()) == (0, "handled"), done.stderr
