"""The metrics page's part about a judge model: what it prefers, and whether that can be trusted."""

import streamlit as st

from medqa_core.foundation.format import count
from medqa_core.foundation.settings import Settings
from medqa_core.report.facts import Facts
from medqa_core.report.views.model_judge import judge_view
from medqa_core.report.wording.model_judge import choice_rows, notes, sentence
from pages.shared import notices, tables, tasks
from pages.shared.markup import note
from pages.shared.tables import Column

HEAD = "Which answer does a judge model prefer?"


def there(facts: Facts) -> bool:
    """Whether a judge model was asked, or can be."""
    return judge_view(facts) is not None or _button(facts) is not None


def judge(facts: Facts) -> None:
    """What it prefers, the counts behind that, votes and order; where none was asked, the button that asks it.

    Only whoever runs the program can ask one: a visitor sees what it said.
    """
    view = judge_view(facts)
    if view is None:
        _offer(facts)
        return
    st.header(HEAD, anchor=False)
    note(sentence(view))
    rows = [[name, count(n)] for name, n in choice_rows(view)]
    caption = "Both answers and all references shown in both orders; a question each."
    tables.table((Column("judge model"), Column("questions", "number")), rows, caption=caption)
    note(" ".join(notes(view)))


def _button(facts: Facts) -> tasks.JudgeButton | None:
    """The button, where a judge is named, nobody is a visitor, and there are answers that it was not asked about."""
    settings = Settings.from_environment()
    if settings.public or facts.imported or facts.in_progress or facts.predictions is None:
        return None
    return tasks.judge_button(settings)


def _offer(facts: Facts) -> None:
    found = _button(facts)
    if found is None:
        return
    st.header(HEAD, anchor=False)
    notices.notice("No judge model has been asked about this run.", found.sends)
    tasks.offer("judge", facts.run.id, arguments=found.arguments, label=found.label)
