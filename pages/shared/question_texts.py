"""The texts behind a run's question ids, for the pages that show answers."""

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import urlencode

import streamlit as st

from medqa_core.data import lookup
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.errors import shorten
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from pages.shared.tables import Raw


def question_texts(run: Run) -> tuple[dict[str, QAPair] | None, str]:
    """The texts behind the run's question ids, or None and why they cannot be shown.

    The core reads a data set once a process; the spinner only shows while it does.
    """
    with st.spinner("Looking the question texts up."):
        return lookup.texts(run.record, Settings.from_environment())


def references(run: Run, questions: Sequence[QAPair]) -> dict[str, tuple[str, ...]]:
    """All reference answers of each question by its id, its own first."""
    found = lookup.references(run.record, Settings.from_environment(), questions)
    return {pair.id: known for pair, known in zip(questions, found, strict=True)}


def question_link(run_id: str, question_id: str, texts: Mapping[str, QAPair] | None) -> Raw:
    """The question on the Answers page, by its text where that is known.

    Its id and its text are data and go through both kinds of escaping.
    """
    address = f"answers?{urlencode({'run': run_id, 'question': question_id})}"
    pair = (texts or {}).get(question_id)
    shown = escape(shorten(pair.question, 90)) if pair else f"<code>{escape(question_id[:40])}</code>"
    style = "color:var(--mq-link);overflow-wrap:anywhere"  # a disease's name may be wider than a phone leaves it
    return Raw(f'<a href="{escape(address)}" target="_self" style="{style}">{shown}</a>')
