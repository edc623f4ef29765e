"""with_sources.parquet: what is written is what is read, and damaged files are one line."""

from pathlib import Path

import pandas as pd
import pytest

from medqa_core.foundation.errors import UnreadableFile
from medqa_core.runs.artifacts.with_sources import SCHEMA, WITH_SOURCES, read_with_sources, write_with_sources


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "question_id": ["q1", "q2"],
            "group_id": ["g1", "g2"],
            "answer": ["Rest helps.", ""],
            **{name: [0.5, 0.0] for name in ("rouge1", "rouge2", "rougeL", "token_f1", "repetition", "copied_share")},
            "tokens": [3, 0],
            "nearest": ["p1", None],
            "passages": [["p1", "p2"], []],
        }
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_with_sources(tmp_path, rows())
    found = read_with_sources(tmp_path)
    assert found.columns.tolist() == SCHEMA.names
    assert found["answer"].tolist() == ["Rest helps.", ""]
    assert [list(ids) for ids in found["passages"]] == [["p1", "p2"], []]
    assert found["tokens"].tolist() == [3, 0]


def test_a_column_that_the_file_lacks_is_null(tmp_path: Path) -> None:
    pd.DataFrame({"question_id": ["q1"]}).to_parquet(tmp_path / WITH_SOURCES)
    found = read_with_sources(tmp_path)
    assert found.drop(columns="question_id").isna().all().all()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="this run has no answers with sources to show"):
        read_with_sources(tmp_path)
    (tmp_path / WITH_SOURCES).write_bytes(b"PAR1 not really")
    with pytest.raises(UnreadableFile, match=r"with_sources\.parquet is damaged"):
        read_with_sources(tmp_path)
    pd.DataFrame({"answer": ["x"]}).to_parquet(tmp_path / WITH_SOURCES)
    with pytest.raises(UnreadableFile, match="has no column question_id"):
        read_with_sources(tmp_path)
    pd.DataFrame({"question_id": ["q1"], "passages": [3]}).to_parquet(tmp_path / WITH_SOURCES)
    with pytest.raises(UnreadableFile, match="columns of another kind"):
        read_with_sources(tmp_path)
