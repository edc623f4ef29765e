"""The metrics page's part about blind votes: which answers people prefer, and how far that can be trusted."""

from html import escape
from urllib.parse import urlencode

import streamlit as st

from medqa_core.foundation.format import count, percent, share
from medqa_core.report.facts import Facts
from medqa_core.report.names import MODELS
from medqa_core.report.statistics.proportion import Proportion
from medqa_core.report.views.leaderboard import LEAST, Standing
from medqa_core.report.views.leaderboard import leaderboard as standings
from medqa_core.report.views.votes import Tally, current_sha256, tally
from medqa_core.report.wording import votes as wording
from medqa_core.report.wording.votes import NONE_YET, notes, sentence
from pages.shared import tables
from pages.shared.markup import html, note, rich
from pages.shared.store import listed, store, usable
from pages.shared.tables import UNKNOWN, Column, Raw

RUNS = (
    Column("Run"),
    Column("Fine-tuned preferred", "number"),
    Column("Decided", "number"),
    Column("Ties", "number"),
    Column("Both bad", "number"),
)
HEAD = (Column("blind votes"), Column("votes", "number"), Column("share", "number"))


def there(facts: Facts) -> bool:
    """Whether the run can be asked."""
    return not facts.imported and facts.snapshot.has_model


def votes(facts: Facts) -> None:
    """What people preferred, the counts behind it and its limits; where nobody has voted, a line that says where.

    Nothing for a run that cannot be asked. Counts only: no single vote and no question is shown.
    """
    if not there(facts):
        return
    found = tally(facts.votes, current_sha256(facts.run))
    if not found.votes:
        _none_yet(facts, found)
        return
    st.header("Which answer do people prefer?", anchor=False)
    note(sentence(found))
    caption = "Blind votes on this run’s weights, from the Ask page."
    tables.table(HEAD, _rows(found), caption=caption)
    note(" ".join(notes(found)))


def leaderboard(facts: Facts) -> None:
    """All runs with blind votes, by the share that their fine-tuned model won; nothing where only this run has some."""
    entries = [entry for entry in usable(listed()) if entry.base_model is not None and not entry.archived]
    found = standings(store(), entries)
    if not there(facts) or all(one.id == facts.run.id for one in found):
        return
    st.header("How do runs stand in blind votes?", anchor=False)
    note(wording.standings(found))
    tables.table(RUNS, [_standing(one, facts.run.id) for one in found], caption=wording.LEADERBOARD)
    note(wording.ORDER)


def _standing(one: Standing, shown: str) -> list[str | Raw]:
    named = escape(one.title) + (f" <code>{escape(one.id)}</code>" if one.title != one.id else "")
    address = f"metrics?{urlencode({'run': one.id, 'tab': 'Preferences'})}"
    link = f'<a href="{escape(address)}" target="_self" style="color:var(--mq-link)">{named}</a>'
    wins = one.tally.wins
    return [
        Raw(f"<strong>{named}</strong>, this run" if one.id == shown else link),
        share(wins.share, wins.ci) if one.stated else f"under {LEAST} decided",
        count(wins.n),
        count(one.tally.tie),
        count(one.tally.both_bad),
    ]


def _none_yet(facts: Facts, found: Tally) -> None:
    """One line, with the way to the page where votes are cast."""
    address = f"ask?{urlencode({'run': facts.run.id})}"
    link = f'<a href="{escape(address)}" target="_self" style="color:var(--mq-link)">Ask</a>'
    said = [NONE_YET.format(page=link), *(rich(line) for line in notes(found))]
    html(f'<p class="mq-note">{" ".join(said)}</p>')


def _rows(found: Tally) -> list[list[str]]:
    counts = {
        f"{MODELS['fine_tuned']} answer preferred": found.fine_tuned,
        f"{MODELS['base']} answer preferred": found.base,
        "tie": found.tie,
        "both bad": found.both_bad,
    }
    rows = [[name, count(n), UNKNOWN] for name, n in counts.items()]
    return [
        *rows,
        _share(f"decided: {MODELS['fine_tuned']} answer won", found.wins),
        _share("decided: higher ROUGE-L won", found.agreement),
        _share("decided: left answer won", found.left),
    ]


def _share(name: str, found: Proportion) -> list[str]:
    if not found.n:
        return [name, "0", UNKNOWN]
    return [name, f"{count(found.hits)} of {count(found.n)}", percent(found.share)]
