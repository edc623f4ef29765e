"""One of the better and one of the worse answers of the fine-tuned model, with question and references."""

import streamlit as st

from medqa_core.report.views.examples import Examples
from medqa_core.report.wording.examples import TITLES, rule
from medqa_core.runs.run import Run
from pages.shared.answer_cards import card
from pages.shared.markup import html, note
from pages.shared.question_texts import question_texts, references


def show(run: Run, found: Examples) -> None:
    """Both with everything that Answers shows of a question."""
    st.header("Two answers", anchor=False)
    note(rule(found))
    texts, why = question_texts(run)
    if texts is None:
        note(f"The questions are shown by id only. {why}")
    for kind, row in (("better", found.better), ("worse", found.worse)):
        pair = (texts or {}).get(str(row["question_id"]))
        known = references(run, [pair]) if pair is not None else {}
        body = card(row, texts or {}, known, score=found.score, highlight="shared with the reference", level=4)
        html(f"<h3>{TITLES[kind]}</h3>{body}")
