"""Answers: what does each model answer?"""

from math import ceil
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from medqa_core.data.pairs import QAPair
from medqa_core.foundation.errors import shorten
from medqa_core.foundation.format import count
from medqa_core.report import answer_rows
from medqa_core.report.answer_rows import BY_CONTENT, ORDERS, OUTCOMES, SCORES, Filters
from medqa_core.report.charts.metrics import gains_figure
from medqa_core.report.names import METRICS
from medqa_core.report.wording.examples import right_means
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import charts, live, notices, run_picker, tasks, theme
from pages.shared.answer_cards import HIGHLIGHTS, References, card, cards
from pages.shared.markup import answer, html, note
from pages.shared.question_texts import question_texts, references
from pages.shared.standing import standing

ONE = "question"
"""The name in the address of the question that is shown alone."""
Texts = dict[str, QAPair] | None
A_PAGE = 10
"""Questions on one page."""

run = run_picker.opened()


def answers(rows: pd.DataFrame) -> None:
    """The tally, the gain by question, and the questions themselves; or one of them, where the address names it."""
    one = st.query_params.get(ONE)
    top = charts.place("gains") if one is None else None
    filters, highlight = controls(rows)
    if top is not None:
        with top:
            overview(rows, filters.score)
    texts, why = question_texts(run)
    if texts is None:
        notices.notice("Questions and references are shown by id only.", why)
    kept = answer_rows.choose(rows, filters, texts)
    if filters.outcome in BY_CONTENT:
        note(right_means(answer_rows.content_score(rows)))
    if one is not None:
        alone(one, rows, kept, texts, filters, highlight)
        return
    note(f"{count(len(kept))} of {count(len(rows))} test questions. {HIGHLIGHTS[highlight]}")
    if kept.empty:
        notices.notice("No question fits these filters.", "Widen the search or remove a filter.")
        return
    pages = ceil(len(kept) / A_PAGE)
    place = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    start = (min(place, pages) - 1) * A_PAGE
    shown = records(kept.iloc[start : start + A_PAGE])
    known = scored_references(shown, texts)
    cards(shown, texts, known, score=filters.score, highlight=highlight, address=address)
    charts.download(
        "Download these rows as CSV",
        lambda: answer_rows.download(kept, texts),
        f"{run.id}-answers.csv",
        key="answers-csv",
    )


def alone(one: str, rows: pd.DataFrame, kept: pd.DataFrame, texts: Texts, filters: Filters, highlight: str) -> None:
    """One question with its answers whole; buttons and arrow keys lead to its neighbours among those that fit."""
    ids = [str(found) for found in kept["question_id"]]
    place = ids.index(one) if one in ids else None
    steps = {"Previous": -1, "Next": 1}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for name, step in steps.items():
            there = place is not None and 0 <= place + step < len(ids)
            to = ids[place + step] if place is not None and there else one
            key = "Left" if step < 0 else "Right"
            st.button(name, key=f"to-{name}", disabled=not there, on_click=show, args=(to,), shortcut=key)
        st.button("All questions", key="to-all", type="tertiary", on_click=show, args=(None,))
        note(f"Question {place + 1} of {count(len(ids))}." if place is not None else "Outside the filters.")
    chosen = rows[rows["question_id"].astype(str) == one]
    if chosen.empty:
        notices.notice(f"No test question {shorten(one, 60)!r} in this run.", "Choose one under “All questions”.")
        return
    (row,) = records(answer_rows.choose(chosen, Filters(filters.score), texts).head(1))
    known = scored_references([row], texts)
    html(card(row, texts or {}, known, score=filters.score, highlight=highlight, whole=True))


def show(question: str | None) -> None:
    """Show one question, or all; for a button's callback."""
    if question is None:
        st.query_params.pop(ONE, None)  # a second click, or going back meanwhile, has taken it from the address
    else:
        st.query_params[ONE] = question


def address(question: str) -> str:
    """This view's address with one question alone."""
    here = [(name, value) for name in st.query_params for value in st.query_params.get_all(name) if name != ONE]
    return f"?{urlencode([*here, (ONE, question)])}"


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as the cards take them."""
    return [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]


def scored_references(rows: list[dict[str, Any]], texts: Texts) -> References:
    """All references of these rows' questions."""
    asked = [pair for row in rows if (pair := (texts or {}).get(str(row["question_id"]))) is not None]
    return references(run, asked) if asked else {}


def overview(rows: pd.DataFrame, score: str) -> None:
    """Which model scores better how often, as a sentence and as one bar for each question."""
    sentence = answer_rows.tally(rows, score).sentence()
    answer(sentence)
    differences = answer_rows.gain(rows, score)
    if differences.notna().any():
        spec = METRICS[score]
        order = "base − fine-tuned" if spec.lower_is_better else "fine-tuned − base"
        caption = f"Each bar is a test question: {spec.label}, {order}; up is better."
        chart = gains_figure(differences, spec.label, theme.palette())
        charts.show(chart, key="gains", alt=sentence, caption=caption)


def first_page() -> None:
    """Another filter or order: start at its first page."""
    st.session_state["page"] = 1


BOUND: dict[str, Any] = {"bind": "query-params", "on_change": first_page}


def controls(rows: pd.DataFrame) -> tuple[Filters, str]:
    """Search, filters and order; every choice is in the address."""
    first = st.columns([3, 2, 2], gap="small")
    search = first[0].text_input(
        "Search",
        key="q",
        max_chars=answer_rows.LONGEST_SEARCH,
        **BOUND,
        placeholder="a word in question or answer",
    )
    order = first[1].selectbox("Order", ORDERS, key="order", **BOUND)
    outcome = first[2].selectbox("Outcome", OUTCOMES, key="outcome", **BOUND)
    with st.expander("More filters"):
        second = st.columns(2, gap="small")
        kinds, places = (answer_rows.values(rows, column) for column in ("question_type", "source"))
        types = second[0].multiselect("Question type", kinds, key="type", **BOUND, placeholder="all")
        sources = second[1].multiselect("Source", places, key="source", **BOUND, placeholder="all")
        third = st.columns(2, gap="small")
        measured = answer_rows.measured(rows) or list(SCORES[:1])
        score = third[0].selectbox("Score", measured, format_func=label, key="score", **BOUND)
        highlight = third[1].selectbox("Underline", list(HIGHLIGHTS), key="underline", bind="query-params")
    return Filters(score, search, tuple(types), tuple(sources), outcome, order), highlight


def label(score: str) -> str:
    """A score's name, for people and for the address."""
    return METRICS[score].label


def nothing(snapshot: RunSnapshot) -> None:
    """No predictions: why, and what makes them."""
    if snapshot.imported:
        notices.notice(
            "This run has no answers to show.",
            "Its source gives totals only, no question and no answer. A run made here keeps every test question.",
        )
    elif snapshot.in_progress:
        notices.notice("No answers yet.", "Both models answer the test questions after training.")
    else:
        notices.notice("This run has no answers to show.", "The evaluation writes them.")
        tasks.offer("evaluate", run.id, primary=True)


seen = live.observe(run)
if seen.predictions is None or seen.predictions.empty:
    live.follow(run, nothing)
else:
    standing(seen)
    answers(seen.predictions)
notices.problems(seen.problems)
