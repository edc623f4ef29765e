"""Two imported evaluations judged item by item, where their sources brought the samples."""

from collections.abc import Callable

import streamlit as st

from medqa_core.report.document.paired_items_table import paired_items_table
from medqa_core.report.facts import Facts
from medqa_core.report.views.paired_items import paired_items
from medqa_core.report.wording.paired_items import TITLE, caption, nothing
from pages.shared import document
from pages.shared.markup import note


def show(facts: list[Facts], named: Callable[[str], str]) -> None:
    """The first two of the runs that hold items; nothing where fewer do. `named`: what a run is called."""
    found = paired_items(facts)
    if found is None:
        return
    st.header(TITLE, anchor=False)
    names = named(found.first.run.id), named(found.second.run.id)
    if found.tasks:
        document.table(paired_items_table(found), caption=caption(*names))
    else:
        note(nothing(*names))
