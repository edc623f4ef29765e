"""The Gradio widget at /qa/: one question, both models at once. Built on the first request to it.

It runs alone too: `python -m pages.ask.widget`, with `--share` for Gradio's public link.
"""

from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.routing import Mount

from medqa_core.answering.compare import Column
from medqa_core.answering.emergency.quality import screen_quality
from medqa_core.answering.emergency.questions import LANGUAGES
from medqa_core.answering.question import ASK_NO_REPEAT, MAX_CHARACTERS
from medqa_core.answering.service import AnswerService
from medqa_core.foundation.settings import Settings
from pages.ask.events import Events
from pages.ask.look import LOOK
from pages.ask.parts import Card, Parts
from pages.ask.service import answer_service
from pages.ask.text import ASK, CHOICES, NOTICE, about, state, who
from pages.ask.waiting import MODELS, QuestionQueue
from pages.web.host_guard import Guard
from pages.web.widget_guard import AskGuard

EXAMPLES = (
    "What are the symptoms of gout?",
    "How is iron deficiency anemia treated?",
    "What causes glaucoma?",
    "How can the spread of influenza be prevented?",
)
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": MODELS}
SESSIONS = 200
"""Visitors whose last answers are kept for their vote; each costs 80 KiB, and Gradio would keep 10,000."""
FOCUS_NEXT = "() => { setTimeout(() => document.getElementById('next')?.focus(), 100); }"
"""After a vote, Enter asks the next question; the button is drawn a moment later than this is called."""
FOLLOW = "puts the turns so far into the prompt; the models learnt single questions, follow-ups were not measured"
PRECISIONS = [("Exact (float32)", "float32"), ("Fast (int8)", "int8")]


def build() -> FastAPI:
    """The widget as an application of its own, for the app to mount."""
    child = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, middleware=[Middleware(AskGuard)])
    gr.mount_gradio_app(
        child,
        blocks(answer_service(Settings.from_environment())),
        path="/",
        footer_links=["api"],
        run_history=False,
        allowed_paths=[],
        show_error=False,
        enable_monitoring=False,
        **LOOK,
    )
    (mounted,) = (route.app for route in child.routes if isinstance(route, Mount))
    assert isinstance(mounted, gr.routes.App)
    child.state.end = mounted.stop_event.set
    return child


def blocks(service: AnswerService) -> gr.Blocks:
    """The widget's layout and what its parts do."""
    with gr.Blocks(title="Ask both models", analytics_enabled=False, fill_width=True) as page:
        queue = QuestionQueue(page)
        gr.HTML(NOTICE, elem_id="notice")
        question = gr.Textbox(
            label="Your question",
            info="Enter sends it, Shift+Enter begins a new line",
            placeholder=EXAMPLES[0],
            lines=2,
            max_lines=4,
            max_length=MAX_CHARACTERS,
            elem_id="question",
            autofocus=False,
        )
        with gr.Row(elem_id="actions"):
            start = gr.Button(ASK, variant="primary", scale=0, min_width=180, elem_id="ask")
            stop = gr.Button("Stop", scale=0, min_width=80, interactive=False, elem_id="stop")
            blind = gr.Checkbox(
                False, label="Blind", info="hides which model gave which answer until you vote", min_width=150
            )
            sourced = gr.Checkbox(
                False, label="With sources", info="answers from passages that are looked up", min_width=150
            )
        with gr.Row(visible=False, elem_id="talking") as talking:
            follow = gr.Checkbox(False, label="Follow-up", info=FOLLOW, min_width=280, elem_id="follow")
            renew = gr.Button("New conversation", size="sm", scale=0, min_width=160, elem_id="renew")
        gr.Examples([[text] for text in EXAMPLES], [question], label="Examples", api_visibility="private")
        draw = gr.Button("A test question of this run", size="sm", elem_id="draw")
        line = gr.HTML(state("ready"), elem_id="status")
        referral = gr.HTML("", elem_id="referral")
        earlier = gr.HTML("", elem_id="history")
        with gr.Row(equal_height=True):
            left, right, third = _card("base", "left"), _card("fine_tuned", "right"), _card("with_sources", "third")
        with gr.Row(visible=False, elem_id="vote") as ballot:
            choices = {value: gr.Button(text, min_width=120) for value, text in CHOICES.items()}
        with gr.Row():
            following = gr.Button(
                "Next test question", visible=False, variant="primary", scale=0, min_width=180, elem_id="next"
            )
        after = gr.HTML("", elem_id="after")
        read = gr.HTML("", elem_id="sources")
        with gr.Accordion("Settings", open=False):
            run = gr.Dropdown(label="Run", choices=[], info="whose base and fine-tuned model are asked", elem_id="run")
            precision = gr.Radio(PRECISIONS, value="float32", label="Precision")
            cost = gr.HTML("", elem_id="int8-cost")
            with gr.Row():
                temperature = gr.Slider(0, 2, 0, step=0.05, label="Temperature", info="0 is greedy decoding")
                tokens = gr.Slider(
                    16, service.limits.max_new_tokens, 128, step=16, label="Longest answer", info="tokens"
                )
                repeats = gr.Slider(
                    0,
                    10,
                    ASK_NO_REPEAT,
                    step=1,
                    label="No repetition",
                    info="tokens in a row that may not come twice; 0: any may",
                )
                seed = gr.Number(42, label="Seed", precision=0, minimum=0, maximum=2**32 - 1, info="for sampling")
        with gr.Accordion("Verify which model answered", open=False):
            prove = gr.Button("Compare the base answers with a freshly loaded base model", size="sm", elem_id="prove")
            proof = gr.HTML("", elem_id="proof")
        with gr.Accordion("About this demo", open=False):
            gr.HTML(about(screen_quality(), {language: screen_quality(language) for language in LANGUAGES}))
        checked, comparison, latest, tally, conversation = (gr.State(None) for _ in range(5))
        states = {"question": checked, "comparison": comparison, "latest": latest, "tally": tally}
        talk = {"conversation": conversation, "follow": follow, "talking": talking, "history": earlier}
        places = {
            "sources": read,
            "line": line,
            "referral": referral,
            "ballot": ballot,
            "after": after,
            "following": following,
        }
        parts = Parts(left, right, third, **places, **states, **talk, stop=stop, start=start, text=question)
        events = Events(service, parts, lambda: queue.waiting)
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        screening = gr.on(
            [start.click, question.submit],
            events.screen,
            [question, blind, checked],
            events.parts.all,
            queue=False,
            trigger_mode="once",
            **hidden,
        )
        drawing = following.click(events.following, [run, blind], events.parts.all, queue=False, **hidden)
        asking = [
            checking.success(
                events.ask,
                [run, checked, temperature, tokens, seed, precision, repeats, blind, sourced, follow, conversation],
                events.parts.all,
                trigger_mode="once",
                api_visibility="private",
                show_progress="minimal",  # the place in the queue
                show_progress_on=line,
                **ONE_AT_A_TIME,
            )
            for checking in (screening, drawing)
        ]
        # What is said comes through the queue, behind whatever the cancelled answers still had under way; in a line of
        # its own, so that it waits for no question and is not refused where questions are.
        stopping = stop.click(None, None, None, cancels=asking, queue=False, **hidden)
        stopping.then(events.stopped, latest, events.parts.all, concurrency_limit=None, **hidden)
        for value, button in choices.items():
            cast = button.click(events.voter(value), [comparison, tally], events.parts.all, queue=False, **hidden)
            cast.success(None, None, None, js=FOCUS_NEXT, queue=False, **hidden)
        renew.click(events.renew, None, events.parts.all, cancels=asking, queue=False, **hidden)
        draw.click(events.test_question, run, [question, line], queue=False, **hidden)
        prove.click(events.prove, [run, precision], proof, api_visibility="private", **ONE_AT_A_TIME)
        page.load(events.choices, None, run, queue=False, **hidden)
        gr.on([page.load, run.change], events.int8_cost, run, cost, queue=False, **hidden)
        run.change(events.with_sources, run, sourced, queue=False, **hidden)
        gr.api(events.compare, api_name="compare", **ONE_AT_A_TIME)
    # Not open: else a question sent to another of Gradio's addresses would pass by the queue.
    page.state_session_capacity = SESSIONS
    page.queue(api_open=False)
    page._queue = queue
    return page


def _card(column: Column, place: str) -> Card:
    """A card: who answers, the answer, and the lines under it."""
    with gr.Column(min_width=280, elem_classes="card", visible=place != "third") as frame:
        head = gr.HTML(who(column), elem_id=f"{place}-who")
        answer = gr.Textbox(
            label=f"{place.title()} answer",
            show_label=False,
            lines=8,
            max_lines=24,
            interactive=False,
            buttons=["copy"],
            elem_id=f"{place}-answer",
        )
        linked = gr.HTML("", elem_id=f"{place}-linked", visible=False)
        under = gr.HTML("", elem_id=f"{place}-meta")
    return Card(frame, head, answer, linked, under)


def main() -> None:
    """Serve the widget alone."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m pages.ask.widget", description="The question widget by itself.")
    parser.add_argument("--share", action="store_true", help="a public link through Gradio's servers, for 72 hours")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: %(default)s)")
    chosen = parser.parse_args()
    hosts = ("*",) if chosen.share else None  # Gradio's servers choose the name of a public link
    blocks(answer_service(Settings.from_environment())).launch(
        server_name=chosen.host,
        server_port=chosen.port,
        share=chosen.share,
        footer_links=["api"],
        allowed_paths=[],
        state_session_capacity=SESSIONS,
        app_kwargs={"middleware": [Middleware(Guard, hosts=hosts), Middleware(AskGuard)]},
        **LOOK,
    )


if __name__ == "__main__":
    main()
