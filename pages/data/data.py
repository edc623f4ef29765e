"""Data: what is the model trained on?"""

import streamlit as st

from medqa_core.data.sources import SOURCES
from medqa_core.foundation.errors import DataUnavailable, MedQAError
from medqa_core.report.document.records import data_fields
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import DataRecord
from pages.data import facts, section
from pages.shared import notices, run_picker
from pages.shared.markup import bullets, html

run = run_picker.head("What is the model trained on?")
OWN = "this run's"


def data(config: TrainConfig, *, own: bool) -> None:
    """The sentence, the figure, and below them the rest; the figure is drawn last, as counting takes longest."""
    try:
        found = facts.described(config, default_sizes=not own)
    except MedQAError as error:
        out_of_reach(config, error, own=own)
        return
    recorded = run.record.data.split_hash if own and run.record.data else None
    if recorded and recorded != found.split.hash:
        notices.notice(
            "These are not the data that this run was trained on.",
            f"The same settings give split `{found.split.hash[:12]}` here, and the run recorded `{recorded[:12]}`: "
            "the data set, or how it is read, has changed since. What follows is about the data in reach.",
            bad=True,
        )
    section.sentence(found)
    figure = st.container()
    section.leakage(found)
    section.split(found)
    section.counts(found)
    section.sample(found)
    section.made(found)
    with figure:
        section.lengths(found)


def out_of_reach(config: TrainConfig, error: MedQAError, *, own: bool) -> None:
    """Why the data cannot be shown, and what the run itself says of them."""
    title = "are not in reach" if isinstance(error, DataUnavailable) else "cannot be read as this run asks for them"
    notices.notice(f"The data {title}.", str(error), "Another data set can be chosen above.")
    if own and run.record.data is not None:
        html("<p>What the run recorded:</p>" + bullets(recorded_lines(run.record.data)))


def recorded_lines(record: DataRecord) -> list[str]:
    """What `run.json` says of the data, in words."""
    return [f"{name}: {value}" for name, value in data_fields(record)]


def imported() -> None:
    """An imported run: what its source says, and the data sets that can be looked at."""
    notices.notice(
        "This run was imported: its source names its data but does not bring them.",
        "Choose a data set above to see one that a run made here can use.",
    )
    if run.record.data is not None:
        html("<p>What its source says:</p>" + bullets(recorded_lines(run.record.data)))


own_config = run.record.config
options = ([OWN] if own_config is not None else []) + list(SOURCES)
chosen = st.segmented_control(
    "Data set",
    options,
    default=OWN if own_config is not None else None,
    required=own_config is not None,
    key="data",
    bind="query-params",
    width="content",
)
if chosen == OWN and own_config is not None:
    data(own_config, own=True)
elif chosen is None:
    imported()
else:
    data(TrainConfig(dataset=chosen), own=False)
