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
from medqa_core.runs.store.search import labels
from pages.shared import charts, document, notices, tables, theme
from pages.shared.markup import note
from pages.shared.question_texts import question_link, question_texts
from pages.shared.store import listed
from pages.shared.tables import Column

FEW = 5
Named = Callable[[str], str]
"""What a run of this id is called."""
RunKey = tuple[str, FileStamp, FileStamp]
"""A run's folder, and the state of the files that are judged."""


def several_judged(facts: list[Facts]) -> bool:
    """Whether two of the runs have answers to questions, which is what is judged question by question."""
    return sum(one.predictions is not None for one in facts) > 1


def of_each_way(facts: list[Facts]) -> bool:
    """Whether some run answers from its weights and another one after reading."""
    tasks = {one.record.questions.task for one in facts if one.record.questions is not None}
    return {"closed_book", "open_book"} <= tasks


def verdicts(facts: list[Facts], named: Named) -> None:
    """The verdicts on one pair of runs, metric by metric. `named`: what heads and captions call a run."""
    st.header("Which one is better?", anchor=False)
    first, second = _pair(facts)
    found = _found(first, second)
    if found is None:
        return
    titled = replace(found, first=named(first.run.id), second=named(second.run.id))
    note(sentence(titled))
    document.table(between_table(titled, controls(first, second)), caption=" ".join(notes(titled)))


def ways_to_answer(facts: list[Facts], named: Named) -> None:
    """Answers from the weights beside answers after reading, where the two runs are one of each."""
    st.header(wording.TITLE, anchor=False)
    first, second = _pair(facts)
    try:
        found = _judged_ways(_key(first), _key(second), first, second)
    except InputError as error:
        _not_judged(error)
        return
    if found is None:
        note("Choose a run that answers from its weights and one that was fine-tuned to read, on one base model.")
        return
    note(wording.sentence(found))
    document.table(ways_table(found), caption=wording.caption(found))


def questions(facts: list[Facts], named: Named) -> None:
    """The gain of each question as a bar, and the questions at both ends, with their texts where those are known."""
    st.header("On which questions do they differ?", anchor=False)
    first, second = _pair(facts)
    found = _found(first, second)
    offered = [] if found is None else [name for name in measured(found.rows) if name not in found.left_out]
    if found is None or not offered:
        return
    score = st.selectbox(
        "Score",
        offered,
        format_func=lambda name: METRICS[name].label,
        key="score",
        bind="query-params",
        width=240,
    )
    rows = found.rows.assign(gain=gain(found.rows, score)).dropna(subset=["gain"])
    label, ours, theirs = METRICS[score].label, named(first.run.id), named(second.run.id)
    better, worse = int((rows["gain"] > 0).sum()), int((rows["gain"] < 0).sum())
    said = f"By {label}, {theirs} is better on {better} of {len(rows)} questions, {ours} on {worse}."
    caption = f"{said} Each bar is a test question; up: {theirs} is better."
    charts.show(gains_figure(rows["gain"], label, theme.palette()), key="between-gains", alt=said, caption=caption)
    ordered = rows.sort_values(["gain", "question_id"], ascending=[False, True])
    ends = [(theirs, ordered[ordered["gain"] > 0].head(FEW))]
    ends.append((ours, ordered[ordered["gain"] < 0].tail(FEW).iloc[::-1]))
    places = st.columns(2, gap="medium")
    charts.download(
        "Download every question as CSV", lambda: _frame(ordered, found), "between-runs.csv", key="between-csv"
    )
    with places[0]:  # last: reading a data set takes seconds
        texts, _ = question_texts(second.run)
    for place, (better_one, few) in zip(places, ends, strict=True):
        with place:
            _few(better_one, second.run.id, few, texts)


def _pair(facts: list[Facts]) -> tuple[Facts, Facts]:
    """The two runs that are judged: of more than two the pair that the visitor picks, the same on every tab."""
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
    return by_id[first], by_id[second]


def _found(first: Facts, second: Facts) -> BetweenRuns | None:
    """The second run against the first; None, and a notice that says why, where they cannot be judged."""
    try:
        return _judged(_key(first), _key(second), first, second)
    except InputError as error:
        _not_judged(error)
        return None


def _not_judged(error: InputError) -> None:
    notices.notice("These two runs are not judged against each other.", str(error))


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
