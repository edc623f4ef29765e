"""The comparison in Streamlit's own parts, where the widget cannot be reached. Imports torch, so only when needed."""

from html import escape

import streamlit as st

from medqa_core.answering.admission import visitor_address
from medqa_core.answering.compare import COLUMN_NAMES, Answers, Column
from medqa_core.answering.question import ASK_NO_REPEAT, MAX_CHARACTERS, GenerationSettings, Question
from medqa_core.answering.service import paced
from medqa_core.foundation.errors import EmergencyDescribed, MedQAError
from medqa_core.foundation.settings import Settings
from pages.ask.service import answer_service
from pages.ask.text import AGAIN, ASK, Cut, linked, meta, notice, out_of_time, referral, sources, state
from pages.shared.markup import html, rich

REFRESH_SECONDS = 0.2
PRESSED = "native-again"
"""The session's key of a press on Try again."""
LATEST, STOPPED = "native answers", "native stopped"
"""The session's keys of the answers that are being given, and of a press of Stop that ended them."""
CARDS: dict[Column, tuple[str, str]] = {
    "base": ("base", "○"),
    "fine_tuned": ("tuned", "●"),
    "with_sources": ("sourced", "◆"),
}
"""A card's class and the mark before its name."""


def comparison(run_id: str) -> None:
    """A question, and both answers as they grow; a press on Stop, or leaving the page, ends them."""
    service = answer_service(Settings.from_environment())
    most = service.limits.max_new_tokens
    with st.form("native-ask", border=False):
        text = st.text_area("Your question", max_chars=MAX_CHARACTERS, height=80)
        greedy, length = st.columns(2)
        temperature = greedy.slider("Temperature", 0.0, 2.0, 0.0, 0.05, help="0 is greedy decoding")
        tokens = length.slider("Longest answer, tokens", 16, most, min(128, most), 16)
        sourced = st.checkbox("With sources", service.reads(run_id), help="answers from passages that are looked up")
        asked = st.form_submit_button(ASK, type="primary") or st.session_state.pop(PRESSED, False)
    line, again, stop, cards = (st.empty() for _ in range(4))
    stopped = st.session_state.pop(STOPPED, False)
    latest: Answers | None = st.session_state.pop(LATEST, None)
    if not asked:
        _say(line, state("stopped" if stopped else "ready"))
        if stopped and latest is not None:
            _draw(cards, latest, "stopped")
        return
    stop.button("Stop", on_click=_stop)  # any press runs the page anew, which ends the loop below
    latest = None
    try:
        question = Question.checked(text)
        if question.notice:
            html(notice(question))
        _say(line, state("loading"))
        chosen = GenerationSettings.checked(
            temperature=temperature, max_new_tokens=tokens, no_repeat_ngram=ASK_NO_REPEAT
        )
        found = service.answers(question, run_id, chosen, visitor=_visitor(), with_sources=sourced)
        for latest in paced(found, REFRESH_SECONDS):
            st.session_state[LATEST] = latest
            _say(line, state("answering"))
            _draw(cards, latest)
        late = latest is not None and out_of_time(latest)
        _say(line, state("out of time" if late else "ended", service.limits.seconds))
    except EmergencyDescribed:
        _say(line, state("refused") + referral())
    except MedQAError as error:
        _say(line, f'<p role="alert" class="bad">{rich(str(error))}</p>')
        if latest is not None:
            _draw(cards, latest, "failed")
        if error.may_pass:
            again.button(AGAIN, on_click=_again)
    stop.empty()
    st.session_state.pop(LATEST, None)


def _again() -> None:
    st.session_state[PRESSED] = True


def _stop() -> None:
    st.session_state[STOPPED] = True


def _say(place: "st.delta_generator.DeltaGenerator", line: str) -> None:
    with place.container():
        html(f'<div class="mq-note" role="status">{line}</div>')


def _draw(place: "st.delta_generator.DeltaGenerator", answers: Answers, cut: Cut | None = None) -> None:
    with place.container():
        html(
            '<div class="mq-cards">'
            + "".join(_card(answers, column, cut) for column in answers.by_column)
            + f"</div>{sources(answers)}"
        )


def _card(answers: Answers, column: Column, cut: Cut | None) -> str:
    answer, (kind, mark), name = answers.by_column[column], CARDS[column], COLUMN_NAMES[column]
    body = linked(answer, answers.sentences(column)) if column in answers.reading else escape(answer.text)
    return (
        f'<section class="mq-card {kind}"><h2 class="mq-who">{mark} {name}</h2>'
        f'<div class="mq-text" tabindex="0" role="group" aria-label="{name}">{body}</div>'
        f'<div class="mq-note">{meta(answer, cut=cut)}</div></section>'
    )


def _visitor() -> str:
    return visitor_address(st.context.ip_address, st.context.headers.get("X-Forwarded-For"))
