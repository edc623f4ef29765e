"""The metrics page's part about a judge model: what it prefers, and whether that can be trusted."""

import streamlit as st

from medqa_core.foundation.format import count
from medqa_core.report.facts import Facts
from medqa_core.report.views.model_judge import judge_view
from medqa_core.report.wording.model_judge import choice_rows, notes, sentence
from pages.shared import tables
from pages.shared.markup import note
from pages.shared.tables import Column


def there(facts: Facts) -> bool:
    """Whether a judge model was asked."""
    return judge_view(facts) is not None


def judge(facts: Facts) -> None:
    """What it prefers, the counts behind that, votes and order; nothing where none was asked.

    Only whoever runs the program can ask one, with a command: a visitor sees what it said.
    """
    view = judge_view(facts)
    if view is None:
        return
    st.header("Which answer does a judge model prefer?", anchor=False)
    note(sentence(view))
    rows = [[name, count(n)] for name, n in choice_rows(view)]
    caption = "Both answers and all references shown in both orders; a question each."
    tables.table((Column("judge model"), Column("questions", "number")), rows, caption=caption)
    note(" ".join(notes(view)))
