"""Computed sentences with the rows they rest on."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from medqa_core.report.insights import Insight
from pages.parts.markup import html, note, rich


def findings(title: str, found: Sequence[Insight], *, key: str) -> None:
    """Each sentence with its effect; the evidence opens below it."""
    st.subheader(title, anchor=False)
    if not found:
        note("Nothing that the data of this run support.")
    for place, one in enumerate(found):
        effect = f'<p class="mq-note">{escape(one.effect)}</p>' if one.effect and one.effect not in one.sentence else ""
        html(f'<div class="mq-finding"><p>{rich(one.sentence)}</p>{effect}</div>')
        with st.expander("Evidence", key=f"evidence-{key}-{place}"):
            html(
                "<ul>"
                + "".join(f"<li><code>{escape(row)}</code></li>" for row in one.evidence)
                + f'</ul><p class="mq-note">It would be false if {rich(one.false_if)}.</p>'
            )
