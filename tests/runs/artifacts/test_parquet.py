"""Rows come back whole; whatever else a file may be is said in one line."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from medqa_core.foundation.errors import OutsideStore, UnreadableFile
from medqa_core.runs.artifacts.parquet import read_rows, write_rows

SCHEMA = pa.schema([("id", pa.string()), ("score", pa.float64())])


def read(folder: Path, rows: int = 10) -> pd.DataFrame:
    return read_rows(
        folder, "sub/x.parquet", SCHEMA, required=("id",), size=2**20, rows=rows, lacking="nothing was measured."
    )


def write(folder: Path, columns: dict[str, list[object]]) -> None:
    write_rows(folder / "sub" / "x.parquet", pa.table(columns))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"id": ["a", "b"], "score": [1.5, None], "more": [1, 2]})
    assert read(tmp_path).to_dict("list") == {
        "id": ["a", "b"],
        "score": [1.5, pytest.approx(float("nan"), nan_ok=True)],
    }


def test_a_column_that_need_not_be_there_is_null(tmp_path: Path) -> None:
    write(tmp_path, {"id": ["a"]})
    assert read(tmp_path)["score"].isna().all()


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"^x.parquet is missing: nothing was measured\.$"):
        read(tmp_path)
    write(tmp_path, {"score": [1.0]})
    with pytest.raises(UnreadableFile, match="has no column id"):
        read(tmp_path)
    write(tmp_path, {"id": ["a"] * 11})
    with pytest.raises(UnreadableFile, match="more than 10 rows"):
        read(tmp_path)
    write(tmp_path, {"id": ["a"], "score": ["high"]})
    with pytest.raises(UnreadableFile, match="damaged or has columns of another kind"):
        read(tmp_path)


def test_a_link_out_of_the_run_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"id": ["a"]})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "sub").symlink_to(tmp_path / "elsewhere" / "sub")
    with pytest.raises(OutsideStore):
        read(tmp_path / "run")
