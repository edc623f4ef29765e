"""Predictions come back whole; a damaged or foreign Parquet file is refused in one line."""

import os
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from medqa_core.foundation.errors import OutsideStore, UnreadableFile
from medqa_core.runs.artifacts.predictions import ROW_LIMIT, SCHEMA, read_predictions, write_predictions
from tests.support.scenarios import stored_predictions


def _write(folder: Path, table: pa.Table) -> None:
    pq.write_table(table, folder / "predictions.parquet")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_predictions(tmp_path, stored_predictions())
    read = read_predictions(tmp_path)
    assert list(read.columns) == SCHEMA.names
    assert read["base_loss"].tolist() == [2.0, 3.0, 4.0]
    assert read["question_id"].tolist()[0] == "question_id 0"


def test_a_missing_column_is_all_null(tmp_path: Path) -> None:
    _write(tmp_path, pa.table({"question_id": ["a", "b"], "extra": [1, 2]}))
    read = read_predictions(tmp_path)
    assert list(read.columns) == SCHEMA.names
    assert read["base_answer"].isna().all()
    assert read["base_loss"].isna().all()


def test_without_question_ids_it_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, pa.table({"base_answer": ["x"]}))
    with pytest.raises(UnreadableFile, match="no column question_id"):
        read_predictions(tmp_path)


def test_a_type_that_converts_is_converted(tmp_path: Path) -> None:
    _write(tmp_path, pa.table({"question_id": [1, 2], "base_loss": pa.array([1, 2], pa.int32())}))
    read = read_predictions(tmp_path)
    assert read["question_id"].tolist() == ["1", "2"]
    assert read["base_loss"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "columns",
    [
        {"question_id": ["a"], "base_loss": ["not a number"]},
        {"question_id": [["a"]]},
        {"question_id": ["a"], "base_loss": [{"x": 1}]},
        {"question_id": pa.array([b"\xff\xfe"], pa.binary())},
        {"question_id": ["a"], "base_answer_tokens": [1.5]},
    ],
)
def test_a_type_that_does_not_convert_is_refused(tmp_path: Path, columns: dict[str, object]) -> None:
    _write(tmp_path, pa.table(columns))
    with pytest.raises(UnreadableFile, match="columns of another kind"):
        read_predictions(tmp_path)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    _write(tmp_path, pa.table({"question_id": bad}))
    with pytest.raises(UnreadableFile):
        read_predictions(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 100, b"<html></html>", b"question_id\n1\n"])
def test_what_is_not_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "predictions.parquet").write_bytes(content)
    with pytest.raises(UnreadableFile, match="damaged"):
        read_predictions(tmp_path)


def test_damage_anywhere_raises_nothing_else(tmp_path: Path) -> None:
    write_predictions(tmp_path, stored_predictions())
    path = tmp_path / "predictions.parquet"
    whole = path.read_bytes()
    for n in range(0, len(whole), max(1, len(whole) // 60)):
        for damaged in (whole[:n], whole[:n] + bytes([whole[n] ^ 0x55]) + whole[n + 1 :]):
            path.write_bytes(damaged)
            try:
                read = read_predictions(tmp_path)
            except UnreadableFile as error:
                assert "\n" not in str(error)
            else:
                assert isinstance(read, pd.DataFrame)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="is missing"):
        read_predictions(tmp_path)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "predictions.parquet")
    with pytest.raises(UnreadableFile):
        read_predictions(tmp_path)


def test_a_link_out_of_the_run_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    write_predictions(tmp_path, stored_predictions())
    (run / "predictions.parquet").symlink_to(tmp_path / "predictions.parquet")
    with pytest.raises(OutsideStore):
        read_predictions(run)


def test_a_huge_file_is_refused_at_once(tmp_path: Path) -> None:
    with open(tmp_path / "predictions.parquet", "wb") as file:
        file.truncate(2**30)
    start = time.monotonic()
    with pytest.raises(UnreadableFile, match="larger than 256 MiB"):
        read_predictions(tmp_path)
    assert time.monotonic() - start < 1


def test_a_small_file_of_countless_rows_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, pa.table({"question_id": pa.array(["a"] * (ROW_LIMIT + 1)).dictionary_encode()}))
    assert (tmp_path / "predictions.parquet").stat().st_size < 100_000
    with pytest.raises(UnreadableFile, match="more than 200000 rows"):
        read_predictions(tmp_path)
