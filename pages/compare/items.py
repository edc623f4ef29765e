"""Two imported evaluations judged item by item, where their sources brought the samples."""

import streamlit as st

from medqa_core.evaluation.paired_items import paired_tasks
from medqa_core.foundation.format import count, interval, p_number, percent
from medqa_core.report.document.model import Cell, Column, Table
from medqa_core.report.facts import Facts
from medqa_core.runs.artifacts.items import read_items
from pages.shared import document
from pages.shared.markup import note

HEAD = (
    Column("Task"),
    Column("First", "number"),
    Column("Second", "number"),
    Column("Difference", "number"),
    Column("p", "number"),
    Column("Questions", "number"),
    Column("Verdict"),
)


def show(facts: list[Facts]) -> None:
    """The first two of the runs that hold items; nothing where fewer do."""
    found = [(one, held) for one in facts if (held := read_items(one.run.folder).value) is not None]
    if len(found) < 2:
        return
    (first, one), (second, other) = found[:2]
    tasks = paired_tasks(one, other)
    st.header("The same exam questions", anchor=False)
    if not tasks:
        note(f"{first.run.id} and {second.run.id} hold the answers to no question in common.")
        return
    rows: list[list[Cell | str | None]] = [
        [
            f"{task.task}, {task.metric}",
            percent(task.first),
            percent(task.second),
            interval(task.difference, task.interval, 1, scale=100),
            p_number(task.p),
            count(task.n),
            Cell.of_verdict(task.verdict),
        ]
        for task in tasks
    ]
    caption = (
        f"First: {first.run.id}; second: {second.run.id}; difference in percentage points, second − first. Only "
        "questions that both answered are counted, pair by pair (McNemar's exact test, corrected for the number of "
        "tasks by Holm)."
    )
    document.table(Table.of(HEAD, rows), caption=caption)
