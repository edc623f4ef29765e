"""What is taken from a foreign file is one harmless line, and says nothing of where its author kept things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa_core.foundation.paths import check_run_id
from medqa_core.runs.importers.source import LINE_LIMIT, line, number, slug, without_paths
from medqa_core.runs.importers.summary_text import repair
from tests.support.foreign_runs import SUMMARY, misread


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/ann/models/tiny", "tiny"),
        ("/home/ann lee/my models/tiny model/", "tiny model"),
        ("~/models/tiny", "tiny"),
        ("~ann/models/tiny", "tiny"),
        ("C:\\Users\\ann\\tiny", "tiny"),
        ("D:/data/tiny", "tiny"),
        ("\\\\server\\ann\\tiny", "tiny"),
        ("file:///home/ann/tiny", "tiny"),
        ("pretrained=/home/ann/tiny,dtype=float", "pretrained=tiny,dtype=float"),
        ("saved in /home/ann/out, done", "saved in out, done"),
    ],
)
def test_absolute_paths_are_cut_to_their_last_part(text: str, kept: str) -> None:
    assert without_paths(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "distilbert/distilgpt2",
        "see mmlu_results/results.json",
        "train/val/test",
        "3500 / 750 / 750",
        "https://example.org/a/b",
        "NIH/CDC",
        "./models/tiny",
        "a + b / c",
        "12:30",
        "{{question}}\nA. {{a}}",
    ],
)
def test_what_is_no_absolute_path_stays(text: str) -> None:
    assert without_paths(text) == text


@given(st.text())
def test_a_line_is_short_and_plain(text: str) -> None:
    kept = line(text)
    assert len(kept) <= LINE_LIMIT
    assert "\n" not in kept
    kept.encode()


@given(st.text())
def test_a_slug_is_a_run_id(text: str) -> None:
    assert check_run_id(slug(text)) == slug(text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, None, "1", [1]])
def test_what_is_no_number_a_figure_can_hold(value: object) -> None:
    assert number(value) is None


@pytest.mark.parametrize(
    "text", [SUMMARY, SUMMARY.split("\n\n")[3], "plain", "Schöne Grüße – naïve café ±0.5", "日本語のテスト"]
)
def test_correct_text_is_left_as_it_is(text: str) -> None:
    assert repair(text) == text


def test_misread_text_is_put_right() -> None:
    assert repair(misread(SUMMARY)) == SUMMARY
    assert repair(SUMMARY.encode().decode("cp437")) == SUMMARY
