"""Every logged step is kept and shown; what is torn, odd or not finite is said and never raises."""

import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.runs.metrics_log.log import READ_LIMIT, MetricsLog, MetricsLogWriter, encode_row, read_metrics_log


def _log(folder: Path, content: bytes) -> MetricsLog:
    (folder / "metrics.jsonl").write_bytes(content)
    return read_metrics_log(folder)


def test_rows_come_back_as_columns(tmp_path: Path) -> None:
    writer = MetricsLogWriter(tmp_path / "metrics.jsonl")
    writer.append("train", step=1, loss=2.5, learning_rate=None)
    writer.append("validation", step=1, loss=2.25)
    writer.append("train", step=2, loss=2.0, learning_rate=1e-3)
    writer.close()
    metrics_log = read_metrics_log(tmp_path)
    assert metrics_log.problems == ()
    np.testing.assert_array_equal(metrics_log.train["loss"], [2.5, 2.0])
    np.testing.assert_array_equal(metrics_log.train["learning_rate"], [math.nan, 1e-3])
    assert len(metrics_log.validation) == 1
    assert not metrics_log.empty


def test_a_missing_file_is_an_empty_curve(tmp_path: Path) -> None:
    metrics_log = read_metrics_log(tmp_path)
    assert metrics_log.empty
    assert metrics_log.missing and metrics_log.problems == ()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_is_recorded_and_named(tmp_path: Path, value: float) -> None:
    writer = MetricsLogWriter(tmp_path / "metrics.jsonl")
    writer.append("train", step=3, loss=value, grad_norm=value)
    writer.close()
    row = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=pytest.fail)
    assert row == {"split": "train", "step": 3, "loss": None, "grad_norm": None, "non_finite": ["grad_norm", "loss"]}
    metrics_log = read_metrics_log(tmp_path)
    assert metrics_log.train.non_finite_steps == (3,)
    assert np.isnan(metrics_log.train["loss"]).all()


def test_a_torn_last_line_costs_that_line_only(tmp_path: Path) -> None:
    whole = "".join(encode_row("train", step=n, loss=float(n)) for n in range(1, 4)).encode()
    last_line = whole.rindex(b"\n", 0, -1) + 1
    for cut in range(last_line + 1, len(whole) - 1):
        metrics_log = _log(tmp_path, whole[:cut])
        assert len(metrics_log.train) == 2
        assert metrics_log.problems == ("metrics.jsonl: 1 line could not be read and was left out.",)


def test_a_writer_that_comes_after_a_torn_line_keeps_its_own_first_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(encode_row("train", step=1, loss=1.0).encode() + b'{"split": "tra')
    writer = MetricsLogWriter(path)
    writer.append("train", step=2, loss=2.0)
    writer.close()
    metrics_log = read_metrics_log(tmp_path)
    np.testing.assert_array_equal(metrics_log.train["step"], [1, 2])
    assert len(metrics_log.problems) == 1


def test_of_a_resumed_step_the_later_attempt_counts(tmp_path: Path) -> None:
    rows = [(1, 1, 9.0), (2, 1, 8.0), (2, 2, 7.0), (3, 2, 6.0)]
    content = "".join(encode_row("train", step=s, attempt=a, loss=loss) for s, a, loss in rows)
    metrics_log = _log(tmp_path, content.encode())
    np.testing.assert_array_equal(metrics_log.train["loss"], [9.0, 7.0, 6.0])
    np.testing.assert_array_equal(metrics_log.train["attempt"], [1, 2, 2])


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00",
        b"{",
        b"null",
        b"[1]",
        b'"text"',
        b'{"split": "train"}',
        b'{"split": "train", "step": true, "loss": 1}',
        b'{"split": "train", "step": 1.5}',
        b'{"split": "train", "step": -1}',
        b'{"split": "train", "step": 1' + b"0" * 400 + b"}",
        b'{"split": "train", "step": ' + b"9" * 5000 + b"}",
        b'{"split": ["train"], "step": 1}',
        b'{"split": "other", "step": 1}',
        b"[" * 100_000,
    ],
)
def test_an_odd_line_is_counted_and_left_out(tmp_path: Path, line: bytes) -> None:
    good = encode_row("train", step=1, loss=1.0).encode()
    metrics_log = _log(tmp_path, line + b"\n" + good)
    assert len(metrics_log.train) == 1
    assert metrics_log.problems == ("metrics.jsonl: 1 line could not be read and was left out.",)


@pytest.mark.parametrize(
    "field", ['"non_finite": 5', '"non_finite": {"loss": 1}', '"loss": "2"', '"loss": [2]', '"loss": true']
)
def test_an_odd_value_does_not_cost_the_row(tmp_path: Path, field: str) -> None:
    metrics_log = _log(tmp_path, f'{{"split": "train", "step": 1, {field}}}\n'.encode())
    assert len(metrics_log.train) == 1
    assert metrics_log.train.non_finite_steps == ()
    assert np.isnan(metrics_log.train["loss"][0])


def test_nan_and_huge_numbers_of_another_writer(tmp_path: Path) -> None:
    rows = ['"loss": NaN', '"loss": 1e999', f'"loss": 1{"0" * 400}', '"loss": 2.0']
    content = "\n".join(f'{{"split": "train", "step": {n}, {row}}}' for n, row in enumerate(rows))
    metrics_log = _log(tmp_path, content.encode())
    assert metrics_log.train.non_finite_steps == (0, 1)
    assert np.isnan(metrics_log.train["loss"][:3]).all()
    assert metrics_log.train["loss"][3] == 2.0


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    assert read_metrics_log(tmp_path).empty


def test_of_a_huge_file_the_end_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "metrics.jsonl", "wb") as file:
        file.truncate(2**30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + encode_row("train", step=5, loss=1.0).encode())
    start = time.monotonic()
    metrics_log = read_metrics_log(tmp_path)
    assert time.monotonic() - start < 3
    assert "were read" in metrics_log.problems[0]
    assert f"{READ_LIMIT // 2**20}" in metrics_log.problems[0]


row_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)
rows = st.dictionaries(st.sampled_from(["step", "split", "loss", "non_finite", "epoch", "time"]), row_values)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(rows).map(lambda many: "\n".join(map(json.dumps, many)).encode())))
def test_no_content_raises(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp() / "metrics_log"
    folder.mkdir(exist_ok=True)
    metrics_log = _log(folder, content)
    assert len(metrics_log.train["loss"]) == len(metrics_log.train)
