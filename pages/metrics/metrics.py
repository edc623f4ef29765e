"""Metrics: how large is the difference, metric by metric?"""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from medqa_core.report.facts import Facts
from medqa_core.runs.snapshot import RunSnapshot
from pages.metrics import answers, judge, mmlu, overall, slices, votes, with_sources
from pages.shared import live, notices, run_picker
from pages.shared.verdict_line import verdict_line

run = run_picker.opened()


@dataclass(frozen=True)
class Tab:
    """Parts that stand together; the title stands in the address."""

    title: str
    parts: tuple[Callable[[Facts], None], ...]
    there: Callable[[Facts], bool] = lambda facts: True
    """Whether a run has something of it, or a word on what would measure it."""


TABS = (
    Tab("Overall", (overall.overall, overall.against_controls, overall.how_measured)),
    Tab("By type and source", (slices.slices,), slices.there),
    Tab("Questions", (answers.improvements, answers.copied, answers.nothing_by_question), answers.there),
    Tab("MMLU", (mmlu.mmlu,)),
    Tab("With passages", (with_sources.with_sources,), with_sources.there),
    Tab(
        "Preferences",
        (votes.votes, votes.leaderboard, judge.judge),
        lambda facts: votes.there(facts) or judge.there(facts),
    ),
)


def metrics(snapshot: RunSnapshot) -> None:
    """The sentence, and below it a tab for each kind of measurement that this run has."""
    facts = Facts.of(snapshot)
    verdict_line(facts)
    tabs = [tab for tab in TABS if tab.there(facts)]
    for place, tab in zip(st.tabs([tab.title for tab in tabs], key="tab", bind="query-params"), tabs, strict=True):
        if place.open:
            with place:
                for part in tab.parts:
                    part(facts)
    notices.problems(facts.problems)


live.follow(run, metrics)
