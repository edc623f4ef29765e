"""The form of a new fine-tune: its fields, its steps and estimate, and the button that starts it."""

import streamlit as st

from medqa_core.data import sources
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import listing, plural
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import submit
from medqa_core.runs.schema.presets import CUSTOM, PRESETS, command_line
from pages.fine_tune import cost, fields, own_data
from pages.fine_tune.fields import MAIN, THEMES, Form
from pages.shared import run_picker, tasks
from pages.shared.flash import flash
from pages.shared.markup import html, note, rich
from pages.shared.queue import start_next


def draw(settings: Settings) -> None:
    """The whole form: what most people change, the summary and the buttons, then the other settings."""
    html("<h2>New fine-tune</h2>")
    own_data.draw(settings)
    form = fields.read(settings)
    _preset()
    for row in MAIN:
        for place, name in zip(st.columns(len(row), gap="small"), row, strict=True):
            with place:
                fields.draw(name, form.problems.get(name))
    _to_fetch(settings)
    _summary(form, settings)
    html("<h2>More settings</h2>")
    for theme, names in THEMES.items():
        _theme(theme, names, form)


def _to_fetch(settings: Settings) -> None:
    """Data of the form that are not at hand, each with the button that fetches it."""
    for name in dict.fromkeys(map(fields.text_of, ("dataset", "test_dataset"))):
        if name not in own_data.named() and sources.to_fetch(name, settings):
            note(f"{name} is not in the cache: a fine-tune fetches it first. Fetched now, its split is shown here.")
            tasks.offer_fetch(name)


def _preset() -> None:
    picked = st.selectbox(
        "Start from",
        [*PRESETS, CUSTOM],
        key=fields.key("preset"),
        on_change=fields.preset_picked,
        help="Fills the form. Every field can be changed afterwards.",
        persist_state="session",
    )
    description = PRESETS.get(picked, {}).get("description", "Every field at its default.")
    note(description)


def _theme(theme: str, names: tuple[str, ...], form: Form) -> None:
    wrong = sum(name in form.problems for name in names)
    label = f"{theme} ({plural(wrong, 'field')} to correct)" if wrong else theme
    with st.expander(label, key=f"theme {theme}", expanded=False):
        for start in range(0, len(names), 4):
            for place, name in zip(st.columns(4, gap="small"), names[start : start + 4], strict=False):
                with place:
                    fields.draw(name, form.problems.get(name))


def _summary(form: Form, settings: Settings) -> None:
    """Steps and cost of the configuration, and the buttons."""
    config = form.config
    if config is not None:
        given = config.train_size if isinstance(config.train_size, int) else None
        examples = form.sizes.train if form.sizes else given
        estimate = cost.found(config, settings)
        steps = estimate.steps if estimate else config.steps(examples) if examples else None
        cost.figures(config, examples, steps, estimate)
        if form.sizes is not None:
            note(f"The split gives {fields.parts_in_words(form.sizes)} examples.")
    else:
        _what_is_wrong(form.problems)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.button("Start fine-tune", key="start", type="primary", disabled=config is None, on_click=_start)
        cost.button(config, settings)
        st.checkbox(
            "Evaluate when done",
            True,
            key="evaluate",
            help="Evaluates base and fine-tuned model on the test questions and writes the reports.",
            persist_state="session",
        )
    cost.progress()
    if config is not None:
        note("The same on the command line; with `--background` it is added to this queue:")
        st.code(command_line(config), language=None, wrap_lines=True)


def _what_is_wrong(problems: dict[str, str]) -> None:
    named = [fields.label_of(name) for name in problems if name]
    sentence = f"To correct before it can start: {listing(named)}. " if named else ""
    sentence += problems.get(fields.GENERAL, "")
    html(f'<p class="mq-worse" role="alert">{rich(sentence)}</p>')


def _start() -> None:
    """The button: one run, however often and in however many tabs it is pressed."""
    settings = Settings.from_environment()
    config = fields.startable(settings)
    if config is None:
        return
    try:
        made = submit(
            config,
            settings,
            evaluate=bool(st.session_state.get("evaluate", True)),
            estimate=cost.found(config, settings),
        )
    except MedQAError as error:
        flash(f"Not started. {error}", bad=True)
        return
    run_picker.choose(made.run.id)
    if not made.new:
        flash(f"{made.run.id} already has this configuration and is {made.run.state()}: no second run was started.")
    start_next(settings)
