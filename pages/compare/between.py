"""Two of the compared runs judged against each other: verdicts, and the questions on which they differ most."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import streamlit as st

from medqa_core.data.pairs import QAPair
from medqa_core.evaluation.between_runs import BetweenRuns
from medqa_core.evaluation.ways import Ways
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import signed
from medqa_core.foundation.stamp import FileStamp
from medqa_core.report.answer_rows import gain, measured
from medqa_core.report.charts.metrics import gains_figure
from medqa_core.report.document.between_tables import between_table
from medqa_core.report.document.ways_table import ways_table
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.views.between_runs import between, controls, ways
from medqa_core.report.wording import ways as wording
from medqa_core.report.wording.between_runs import notes, sentence
from medqa_core.runs.artifacts.predictions import PREDICTIONS
from medqa_core.runs.readers import EVALUATION
from medqa_core.runs.run import Run
from medqa_core.runs.store.search import labels
from pages.shared import charts, document, notices, tables, theme
from pages.shared.markup import note
from pages.shared.question_texts import question_link, question_texts
from pages.shared.store import listed
from pages.shared.tables import Column

FEW = 5
RunKey = tuple[str, FileStamp, FileStamp]
"""A run's folder, and the state of the files that are judged."""


def show(facts: list[Facts], named: Callable[[str], str]) -> Callable[[], None]:
    """The verdicts on one pair of runs; of more than two, on the pair that the visitor picks.

    Args:
        facts: the compared runs.
        named: what heads and captions call a run.

    Returns:
        What draws the questions on which the two differ most, to be called last: their texts may take seconds to read.
    """
    st.header("Which one is better?", anchor=False)
    by_id = {one.run.id: one for one in facts}
    first, second = list(by_id)[:2]
    if len(by_id) > 2:
        with st.container(horizontal=True, gap="small"):
            second = _picked("Judge", "judged", list(by_id), second)
            others = [run_id for run_id in by_id if run_id != second]
            first = _picked("against", "against", others, others[0])
    else:
        for key in ("judged", "against"):
            st.query_params.pop(key, None)
    try:
        found = _judged(_key(by_id[first]), _key(by_id[second]), by_id[first], by_id[second])
    except InputError as error:
        notices.notice("These two runs are not judged against each other.", str(error))
        return _nothing
    titled = replace(found, first=named(first), second=named(second))
    note(sentence(titled))
    beside = controls(by_id[first], by_id[second])
    document.table(between_table(titled, beside), caption=" ".join(notes(titled)))
    _ways(by_id[first], by_id[second])
    return _questions(found, titled, by_id[second].run)


def _nothing() -> None:
    """Draw nothing."""


def _picked(label: str, key: str, ids: list[str], default: str) -> str:
    """One of these runs; in the address by id, written there by hand since a bound list would write its titles."""
    asked = st.session_state.get(key) or st.query_params.get(key)
    st.session_state[key] = asked if asked in ids else default
    picked: str = st.selectbox(label, ids, format_func=labels(listed()), key=key, width=320)
    if picked != default:
        st.query_params[key] = picked
    else:
        st.query_params.pop(key, None)
    return picked


def _ways(first: Facts, second: Facts) -> None:
    """Answers from the weights beside answers after reading, where the two runs are one of each."""
    try:
        found = _judged_ways(_key(first), _key(second), first, second)
    except InputError:  # judged question by question above, if at all
        return
    if found is None:
        return
    st.subheader(wording.TITLE, anchor=False)
    note(wording.sentence(found))
    document.table(ways_table(found), caption=wording.caption(found))


@st.cache_resource(show_spinner="Judging the ways to answer.", max_entries=8)
def _judged_ways(first: RunKey, second: RunKey, _first: Facts, _second: Facts) -> Ways | None:
    return ways(_first, _second)


def _key(facts: Facts) -> RunKey:
    folder = facts.run.folder
    return str(folder), FileStamp.of(folder / PREDICTIONS), FileStamp.of(folder / EVALUATION)


@st.cache_resource(show_spinner="Judging the two runs.", max_entries=8)
def _judged(first: RunKey, second: RunKey, _first: Facts, _second: Facts) -> BetweenRuns:
    """Kept for these states of both runs' files: every question is resampled thousands of times."""
    return between(_first, _second)


def _questions(found: BetweenRuns, titled: BetweenRuns, run: Run) -> Callable[[], None]:
    """The gain of each question as a bar, and the questions at both ends, with their texts as `run` knows them.

    `titled`: the same under the runs' titles.
    """
    offered = [name for name in measured(found.rows) if name not in found.left_out]
    if not offered:
        return _nothing
    score = st.selectbox(
        "Score",
        offered,
        format_func=lambda name: METRICS[name].label,
        key="score",
        bind="query-params",
        width=240,
    )
    rows = found.rows.assign(gain=gain(found.rows, score)).dropna(subset=["gain"])
    label = METRICS[score].label
    better, worse = int((rows["gain"] > 0).sum()), int((rows["gain"] < 0).sum())
    said = f"By {label}, {titled.second} is better on {better} of {len(rows)} questions, {titled.first} on {worse}."
    caption = f"{said} Each bar is a test question; up: {titled.second} is better."
    charts.show(gains_figure(rows["gain"], label, theme.palette()), key="between-gains", alt=said, caption=caption)
    ordered = rows.sort_values(["gain", "question_id"], ascending=[False, True])
    ends = [(titled.second, ordered[ordered["gain"] > 0].head(FEW))]
    ends.append((titled.first, ordered[ordered["gain"] < 0].tail(FEW).iloc[::-1]))
    places = st.columns(2, gap="medium")
    charts.download(
        "Download every question as CSV", lambda: _frame(ordered, found), "between-runs.csv", key="between-csv"
    )

    def draw() -> None:
        with places[0]:
            texts, _ = question_texts(run)
        for place, (better_one, few) in zip(places, ends, strict=True):
            with place:
                _few(better_one, run.id, few, texts)

    return draw


def _few(better: str, run_id: str, few: pd.DataFrame, texts: dict[str, QAPair] | None) -> None:
    columns = (Column("Question"), Column("Type"), Column("Gain", "number"))
    rows = [
        [
            question_link(run_id, str(row["question_id"]), texts),
            row["question_type"] or tables.UNKNOWN,
            signed(float(row["gain"]), 4),
        ]
        for row in few.to_dict("records")
    ]
    if rows:
        tables.table(columns, rows, caption=f"Questions on which {better} is better by most.")


def _frame(rows: pd.DataFrame, found: BetweenRuns) -> pd.DataFrame:
    """The questions with both runs' scores under the runs' names."""
    kept = [name for name in measured(rows) if name not in found.left_out]
    front = rows[["question_id", "group_id", "question_type", "source", "gain"]]
    scores = {f"{run_id} {name}": rows[f"{variant}_{name}"] for name in kept for variant, run_id in _ids(found)}
    return front.assign(**scores)


def _ids(found: BetweenRuns) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("base", found.first), ("fine_tuned", found.second)
