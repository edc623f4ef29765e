"""Data: what is the model trained on?"""

import streamlit as st

from medqa_core.data import sources
from medqa_core.foundation.errors import DataUnavailable, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.report.document.records import data_fields
from medqa_core.runs.schema.config import TrainConfig
from pages.data import cache, sections
from pages.shared import charts, flash, notices, run_picker, tables, tasks
from pages.shared.markup import html
from pages.shared.tables import Column

run = run_picker.opened()
OWN = "this run's"


def data(config: TrainConfig, *, own: bool) -> None:
    """The sentence, the figure, and below them the rest; the figure is drawn last, as counting takes longest."""
    try:
        found = cache.described(config, default_sizes=not own)
    except MedQAError as error:
        unavailable(config, error, own=own)
        return
    recorded = run.record.data.split_hash if own and run.record.data else None
    if recorded and recorded != found.split.hash:
        notices.notice(
            "These are not the data that this run was trained on.",
            f"The same settings give split `{found.split.hash[:12]}` here, and the run recorded `{recorded[:12]}`: "
            "the data set, or how it is read, has changed since. Below is the data set as it is now.",
            bad=True,
        )
    sections.sentence(found)
    tokenizer = cache.tokenizer_for(config.base_model)
    figure = charts.place("lengths")
    if tokenizer is None:
        with figure:
            sections.without_tokenizer()
    sections.leakage(found)
    sections.templates(found)
    sections.split(found)
    sections.counts(found)
    sections.sample(found)
    if own:
        sections.prepared(found)
    sections.made(found)
    if tokenizer is not None:
        with figure:
            sections.lengths(found, tokenizer)


def unavailable(config: TrainConfig, error: MedQAError, *, own: bool) -> None:
    """Why the data cannot be shown, and what the run itself says of them."""
    title = "not available" if isinstance(error, DataUnavailable) else "cannot be read with these settings"
    notices.notice(f"Data set {title}.", str(error), "Another data set can be chosen above.")
    if sources.to_fetch(config.dataset, Settings.from_environment()):
        tasks.offer_fetch(config.dataset)
    known = run.record.data if own else None
    if known is not None and known.overlap is not None and known.split is not None and known.split.test:
        sections.recorded_leakage(known.overlap, known.split.test)
    if own:
        recorded("What the run recorded of its data.")


def recorded(caption: str) -> None:
    """What `run.json` says of the data."""
    if run.record.data is not None:
        html(tables.markup((Column("Field"), Column("Value")), data_fields(run.record.data), caption=caption))


def imported() -> None:
    """An imported run: what its source says or what its model is asked, and the data sets that can be looked at."""
    if run.record.evaluated_on is not None:
        notices.notice(
            "This model was trained elsewhere.",
            "Its answers are on the Answers page. Choose a data set above to see one that a run made here can use."
            if run.record.training_set_known
            else "What it was trained on is not known here, so leaks into the test questions cannot be seen.",
        )
        recorded("What the run recorded of the questions that it is asked.")
        return
    notices.notice(
        "This run was imported, and the import does not include the data.",
        "Choose a data set above to see one that a run made here can use.",
    )
    recorded("What its source says of the data.")


own_config = run.record.config
options = ([OWN] if own_config is not None else []) + list(sources.SOURCES)
chosen = st.segmented_control(
    "Data set",
    options,
    default=OWN if own_config is not None else None,
    required=own_config is not None,
    key="data",
    bind="query-params",
    width="content",
)
flash.show(flash.take())
if chosen == OWN and own_config is not None:
    data(own_config, own=True)
elif chosen is None:
    imported()
else:
    data(TrainConfig(dataset=chosen), own=False)
