"""The Gradio widget at /qa/: one question, both models side by side. Built on the first request to it."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from fastapi import FastAPI

from medqa_core.answering.compare import Answer, compare
from medqa_core.answering.emergency.quality import measured
from medqa_core.answering.pool import PairPool
from medqa_core.answering.question import MAX_CHARACTERS, GenerationSettings, checked_question
from medqa_core.foundation.errors import EmergencyDescribed, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models.pair import Side
from medqa_core.runs.store import RunStore, answerable
from pages.parts.ask_look import CSS, HEAD, NOTICE, THEME, about, meta, referred, status

EXAMPLES = (
    "What are the symptoms of gout?",
    "How is iron deficiency anemia treated?",
    "What causes glaucoma?",
    "How can the spread of influenza be prevented?",
)
REFRESH_SECONDS = 0.12
"""Between two updates of the columns: the eye sees no more, and each one costs the browser work."""
QUEUE = 20
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "models"}

Update = tuple[str, str, str, str, str]
"""Base answer, fine-tuned answer, the line under each, and the line above both."""


def build() -> FastAPI:
    """The widget as an application of its own, for the app to mount."""
    child = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        child,
        blocks(Settings.from_environment()),
        path="/",
        footer_links=["api"],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        enable_monitoring=False,
        theme=THEME,
        css=CSS,
        head=HEAD,
    )
    return child


def blocks(settings: Settings) -> gr.Blocks:
    """The widget's layout and events."""
    store, pool = RunStore(settings.reports), PairPool(settings)

    def updates(
        run: str, question: str, temperature: float, max_new_tokens: float, seed: float
    ) -> Iterator[dict[Side, Answer]]:
        """Both answers as they grow, at a pace that a browser can follow; the last one is final."""
        asked = checked_question(question)
        chosen = GenerationSettings.checked(temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)
        with pool.lend(run) as pair:
            shown, answers = 0.0, None
            for answers in compare(pair, asked, chosen):
                if time.monotonic() - shown >= REFRESH_SECONDS:
                    shown = time.monotonic()
                    yield answers
            if answers is not None:
                yield answers

    def ask(
        run: str, question: str, temperature: float, max_new_tokens: float, seed: float, request: gr.Request
    ) -> Iterator[Update]:
        try:
            run = run or chosen_run(store, _asked(request))  # a click can be faster than the list of runs
            if not run:
                raise MedQAError(
                    "No run here has a model to ask. Start one: python -m medqa_core train --preset starter"
                )
            checked_question(question)  # before the models are loaded
            yield "", "", "", "", status("Loading both models; the first question takes a few seconds.")
            for answers in updates(run, question, temperature, max_new_tokens, seed):
                base, tuned = answers["base"], answers["fine_tuned"]
                running = "running" in (base.state, tuned.state)
                line = status("Both models are answering." if running else "Done.")
                yield base.text, tuned.text, meta(base), meta(tuned), line
        except EmergencyDescribed:
            yield "", "", "", "", status("No model was asked.")
        except MedQAError as error:
            yield "", "", "", "", status(str(error), bad=True)

    def screen(question: str) -> str:
        """The referral, where one is due: outside the queue, so that nobody waits for it."""
        try:
            checked_question(question)
        except EmergencyDescribed:
            return referred()
        except MedQAError:
            pass  # `ask` says what is wrong
        return ""

    def compare_api(
        question: str, run: str = "", temperature: float = 0.3, max_new_tokens: int = 128, seed: int = 42
    ) -> Iterator[dict[str, Any]]:
        """Answer a question with the base and the fine-tuned model of a run; each answer says what produced it.

        A question that describes an emergency gets a `referral` in place of both answers.
        """
        try:
            for answers in updates(run or chosen_run(store), question, temperature, max_new_tokens, seed):
                yield {side: answer.as_dict() for side, answer in answers.items()}
        except EmergencyDescribed as emergency:
            yield {"referral": str(emergency)}
        except MedQAError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def choices(request: gr.Request) -> Any:
        ids = [entry.id for entry in answerable(store)]
        return gr.update(choices=ids, value=chosen_run(store, _asked(request)) or None)

    with gr.Blocks(title="Ask both models", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(NOTICE, elem_id="notice")
        question = gr.Textbox(
            label="Your question",
            placeholder=EXAMPLES[0],
            lines=2,
            max_lines=4,
            max_length=MAX_CHARACTERS,
            elem_id="question",
            autofocus=False,
        )
        with gr.Row(elem_id="actions"):
            start = gr.Button("Ask both models", variant="primary", scale=0, min_width=200)
            stop = gr.Button("Stop", variant="secondary", scale=0, min_width=90)
            line = gr.HTML(status("Both models answer at the same time."), elem_id="status")
        referral = gr.HTML("", elem_id="referral")
        with gr.Row(equal_height=True):
            columns = [_column("Base model", "base"), _column("Fine-tuned model", "tuned")]
        gr.Examples([[text] for text in EXAMPLES], [question], label="Examples", api_visibility="private")
        with gr.Accordion("Settings", open=False):
            run = gr.Dropdown(label="Run", choices=[], info="whose base and fine-tuned model are asked")
            with gr.Row():
                temperature = gr.Slider(0, 2, 0.3, step=0.05, label="Temperature", info="0 takes the likeliest word")
                max_new_tokens = gr.Slider(16, 512, 128, step=16, label="Longest answer", info="tokens")
                seed = gr.Number(42, label="Seed", precision=0, minimum=0, maximum=2**32 - 1, info="for sampling")
        with gr.Accordion("About this demo", open=False):
            gr.HTML(about(measured().sentence))
        inputs = [run, question, temperature, max_new_tokens, seed]
        outputs = [columns[0][0], columns[1][0], columns[0][1], columns[1][1], line]
        asked: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "once", "api_visibility": "private"}
        triggers = [start.click, question.submit]
        gr.on(triggers, screen, question, referral, queue=False, **asked)
        event = gr.on(triggers, ask, inputs, outputs, **asked, **ONE_AT_A_TIME)
        stop.click(
            lambda: status("Stopped."),
            None,
            line,
            cancels=[event],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
        page.load(choices, None, run, api_visibility="private", queue=False)
        gr.api(compare_api, api_name="compare", **ONE_AT_A_TIME)
    return page.queue(max_size=QUEUE, default_concurrency_limit=1)


def chosen_run(store: RunStore, asked: str = "") -> str:
    """The run asked for if it can answer, else the newest that can, else an empty text."""
    ids = [entry.id for entry in answerable(store)]
    return asked if asked in ids else next(iter(ids), "")


def _asked(request: gr.Request) -> str:
    """The run that the address names."""
    return str(request.query_params.get("run", ""))


def _column(label: str, kind: str) -> tuple[gr.Textbox, gr.HTML]:
    with gr.Column(min_width=280, elem_classes=["card", kind]):
        answer = gr.Textbox(
            label=label, lines=8, max_lines=24, interactive=False, buttons=["copy"], elem_id=f"{kind}-answer"
        )
        under = gr.HTML("", elem_id=f"{kind}-meta")
    return answer, under
