"""Text that came from elsewhere is shown letter for letter."""

import re

import pandas as pd
import pytest

from medqa_core.report.word_diff import differing
from pages.shared import charts, tables
from pages.shared.answer_cards import card, marked
from pages.shared.markup import bullets, escape_markdown, paragraphs, rich, verdict
from tests.support.hostile import HOSTILE

TAG = re.compile(r"<(/?)(\w+)([^>]*)>")


def test_markdown_is_escaped_mark_by_mark() -> None:
    escaped = escape_markdown(HOSTILE)
    assert not re.search(r"(?<!\\)[<>\[\]()$`*:_!|#~{}]", escaped)
    assert ":red[" not in escaped and ":smile:" not in escaped and "www.evil" not in escaped


def test_markdown_stays_on_one_line() -> None:
    assert escape_markdown("a\n# heading\n- item") == "a \\# heading \\- item"
    assert escape_markdown("1. a --> b -- c.") == "1\\. a \\-\\-\\> b \\-\\- c\\."
    title = "#6 SmolLM2-135M on MedQuAD, v1.5"
    assert escape_markdown(title) == title, "a control's name would be read out with its backslashes"


@pytest.mark.parametrize(
    "make", [rich, lambda t: paragraphs([t]), lambda t: bullets([t]), lambda t: marked(differing(t, "x"))]
)
def test_html_helpers_escape(make: object) -> None:
    markup = make(HOSTILE)  # type: ignore[operator]
    assert "<img" not in markup and "<script" not in markup and "&lt;img" in markup


def test_backquotes_become_code_and_nothing_else_does() -> None:
    assert rich("run `a<b>` now") == "run <code>a&lt;b&gt;</code> now"


def test_table_escapes_cells_heads_and_caption() -> None:
    made = tables.markup([tables.Column(HOSTILE), tables.Column("b", "number")], [[HOSTILE, HOSTILE]], caption=HOSTILE)
    assert "<img" not in made and "<script" not in made
    assert {name for _, name, _ in TAG.findall(made)} <= {
        *["p", "div", "table", "thead", "tbody", "tr", "th", "td", "span"]
    }
    assert 'onerror="' not in made


def test_a_checksum_may_break_and_a_word_may_not() -> None:
    made = tables.markup([tables.Column("a")], [["0123456789abcdef" * 2 + " & otorhinolaryngology"]], caption="c")
    assert "0123456789abcdef<wbr>0123456789abcdef &amp; otorhinolaryngology<" in made


@pytest.mark.parametrize(("columns", "dense"), [(tables.DENSE - 1, False), (tables.DENSE, True)])
def test_many_columns_stand_closer(columns: int, dense: bool) -> None:
    made = tables.markup([tables.Column(f"{place}", "number") for place in range(columns)], [], caption="c")
    assert ("mq-dense" in made) == dense


def test_answer_card_escapes_everything_that_the_run_says() -> None:
    row = {
        "question_id": HOSTILE,
        "question_type": HOSTILE,
        "source": HOSTILE,
        "base_answer": HOSTILE,
        "fine_tuned_answer": "fine",
        "gain": 0.1,
    }
    for highlight in ("differences", "shared with the reference", "none"):
        made = card(row, {}, {}, score="rougeL", highlight=highlight)
        assert "<img" not in made and "<script" not in made and "onerror=&quot;" in made


def test_verdict_has_sign_and_word() -> None:
    assert "▲ better" in verdict("better") and "mq-better" in verdict("better")
    assert "? inconclusive" in verdict("cannot tell") and "mq-muted" in verdict("cannot tell")


def test_csv_does_not_start_a_formula() -> None:
    made = charts.csv(pd.DataFrame({"answer": ["=1+1", "@x", "plain"], "gain": [-0.5, 0.1, 0.2]})).decode()
    assert "'=1+1" in made and "'@x" in made and "\nplain" in made and "-0.5" in made
