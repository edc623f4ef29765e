"""A cell of an exported table is never run as a formula, whatever a stranger wrote into it; numbers stay numbers."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as st_
from streamlit.testing.v1 import AppTest

from medqa_core.runs.artifacts.predictions import SCHEMA, write_predictions
from pages.shared import charts
from tests.support.pages import MAIN, PAGES
from tests.support.runs import RunBuilder
from tests.support.scenarios import SHOWN
from tests.support.source import calls

FORMULAS = (
    *("=1+1", "=HYPERLINK(\"http://evil.test\")", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "\n=1+1", "＝1+1"),
    *("=cmd|' /C calc'!A0", "＠x", "－2", "＋2", "-", "=", "\r", "\r\n=1"),
)  # fmt: skip
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cells(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


def one_kind_of_line(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def is_safe(text: str) -> bool:
    """A number may start with its sign; a text may not start with what opens a formula."""
    try:
        float(text)
    except ValueError:
        return not text.startswith(STARTS)
    return True


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_becomes_text(formula: str) -> None:
    (row,) = cells(charts.csv(pd.DataFrame({"answer": [formula], "gain": [-0.5]})))
    assert row == {"answer": f"'{one_kind_of_line(formula)}", "gain": "-0.5"}


@given(st_.lists(st_.tuples(st_.text(max_size=20), st_.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_any_text(rows: list[tuple[str, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["text", "number"]).replace({"text": {"\ud800": ""}})
    frame["text"] = frame["text"].str.encode("utf-8", "ignore").str.decode("utf-8")
    for given_row, row in zip(frame.itertuples(), cells(charts.csv(frame)), strict=True):
        assert row["text"].startswith("'") or not row["text"].startswith(STARTS)
        assert row["text"].removeprefix("'") == one_kind_of_line(str(given_row.text)).removeprefix("'")
        assert float(row["number"]) == given_row.number


def test_texts_of_other_kinds_of_column() -> None:
    frame = pd.DataFrame({
        "category": pd.Categorical(["=1"]), "string": pd.array(["=1"], dtype="string"), "mixed": ["=1"],
        "list": [["=1"]], "none": [None],
    })  # fmt: skip
    (row,) = cells(charts.csv(frame))
    assert all(is_safe(cell) for cell in row.values()), row


@pytest.mark.parametrize("page", PAGES)
def test_every_table_that_a_page_offers(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies behind each of its CSV buttons, on a run whose texts are formulas."""
    (tmp_path / "reports").mkdir()
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    folder = RunBuilder(tmp_path / "reports", SHOWN).finished().folder
    frame = pd.read_parquet(folder / "predictions.parquet")
    for column in ("question_id", "group_id", "question_type", "source", "base_answer", "fine_tuned_answer"):
        frame[column] = [f"=HYPERLINK(1)&{n}" for n in range(len(frame))]
    write_predictions(folder, frame.reindex(columns=SCHEMA.names))
    evaluation = json.loads((folder / "evaluation.json").read_text())
    evaluation["by_question_type"] = {"=1+1": evaluation["by_question_type"]["symptoms"]}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    offered = []
    monkeypatch.setattr(charts, "download", lambda label, make, name, *, key: offered.append((name, make)))
    app = AppTest.from_file(MAIN, default_timeout=30).switch_page(page).run()
    st.cache_resource.clear()
    assert not app.exception
    for name, make in offered:
        assert name.endswith(".csv")
        for row in cells(charts.csv(make())):
            assert all(is_safe(cell or "") for cell in row.values()), (name, row)
    assert offered or page in ("summary/summary.py", "ask/ask.py", "data/data.py", "compare/compare.py")


def test_no_other_part_writes_tables_for_people() -> None:
    """A new export goes through `charts.csv`, or is looked at here."""
    found = {(place.partition(":")[0], call) for place, call, _ in calls("medqa_core", "pages")}
    writers = {
        (file, call) for file, call in found if call.endswith((".to_csv", ".to_excel", "csv.writer", ".DictWriter"))
    }
    assert writers == {
        ("charts.py", "frame.assign(**{str(name): safe[name] for name in safe}).to_csv"),
        ("mmlu_data.py", "csv.writer"),  # the harness reads it, from the cache
    }
    buttons = {file for file, call in found if call.endswith("download_button")}
    assert buttons == {"charts.py", "full_report.py"}
