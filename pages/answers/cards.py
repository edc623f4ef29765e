"""One test question: what was asked, the reference, and both models' answers. Everything in it is escaped."""

from collections.abc import Iterable
from html import escape
from typing import Any

import pandas as pd

from medqa_core.data.pairs import QAPair
from medqa_core.foundation.errors import shorten
from medqa_core.foundation.format import count, number, percent, signed
from medqa_core.report.answer_rows import SCORES
from medqa_core.report.names import METRICS
from medqa_core.report.views import copies
from medqa_core.report.word_diff import Piece, differing, shared
from pages.shared.markup import html

HIGHLIGHTS = {
    "differences": "Underlined: words that the other model's answer does not have at that place.",
    "shared with the reference": "Underlined: words that the reference has in the same order, as ROUGE-L counts.",
    "none": "",
}
"""What can be underlined in the answers, and what that means."""
VARIANTS = {"base": ("base", "Base model", "○"), "fine_tuned": ("tuned", "Fine-tuned model", "●")}


def marked(pieces: Iterable[Piece]) -> str:
    """A compared text as markup, what was looked for in it underlined."""
    return "".join(f"<mark>{escape(piece.text)}</mark>" if piece.marked else escape(piece.text) for piece in pieces)


def cards(rows: list[dict[str, Any]], texts: dict[str, QAPair] | None, *, score: str, highlight: str) -> None:
    """The questions of one page."""
    html("".join(_card(row, texts or {}, score, highlight) for row in rows))


def _card(row: dict[str, Any], texts: dict[str, QAPair], score: str, highlight: str) -> str:
    """The question with its three texts."""
    pair = texts.get(str(row["question_id"]))
    question = escape(pair.question) if pair else f"<code>{escape(str(row['question_id']))}</code>"
    about = [str(row[c]) for c in ("question_type", "source") if isinstance(row.get(c), str)]
    about += [pair.topic] if pair else []
    overlap = _float(row.get("train_overlap"))
    if overlap:
        about.append(f"{percent(overlap, 0)} of the reference's 13-word runs also appear in training answers")
    change = _float(row.get("gain"))
    if change is not None:
        about.append(f"{METRICS[score].label} gain {signed(change, 4)}")
    reference = pair.answer if pair else ""
    variants = "".join(_answer(row, variant, reference, highlight, texts) for variant in VARIANTS)
    body = f'<article class="mq-row"><p class="mq-q">{question}</p><p class="mq-note">{escape(" · ".join(about))}</p>'
    body += f'<div class="mq-cards">{variants}'
    if pair:
        tokens = _float(row.get("reference_tokens"))
        length = f", {count(int(tokens))} tokens" if tokens else ""
        body += _block("wide", f"Reference answer{length}", escape(pair.answer), "Reference answer")
    return body + "</div></article>"


def _answer(row: dict[str, Any], variant: str, reference: str, highlight: str, texts: dict[str, QAPair]) -> str:
    kind, title, sign = VARIANTS[variant]
    text, other = row.get(f"{variant}_answer"), row.get(f"{'fine_tuned' if variant == 'base' else 'base'}_answer")
    if not isinstance(text, str):
        shown = '<span class="mq-muted">no answer on record</span>'
    elif not text.strip():
        shown = '<span class="mq-muted">empty answer</span>'
    elif highlight == "differences" and isinstance(other, str):
        shown = marked(differing(text, other))
    elif highlight == "shared with the reference" and reference:
        shown = marked(shared(text, reference))
    else:
        shown = escape(text)
    scores = [(METRICS[name].label, _float(row.get(f"{variant}_{name}"))) for name in SCORES]
    numbers = [f"{label} {number(value)}" for label, value in scores if value is not None]
    tokens = _float(row.get(f"{variant}_answer_tokens"))
    numbers += [f"{count(int(tokens))} tokens"] if tokens is not None else []
    numbers += [copied] if (copied := _copied(row, variant, texts)) else []
    return _block(kind, f"{sign} {title}", shown, title, " · ".join(numbers))


def _copied(row: dict[str, Any], variant: str, texts: dict[str, QAPair]) -> str:
    """Whether the answer is copied from a training answer, and from which one; empty where that was not measured."""
    share = _float(row.get(f"{variant}_copied_share"))
    found = copies.kind(share)
    if found is None or found == "novel":
        return found or ""
    nearest = row.get(f"{variant}_nearest")
    pair = texts.get(nearest) if isinstance(nearest, str) else None
    whose = f"“{shorten(pair.question, 120)}”" if pair else str(nearest)
    source = f" from the training answer to {whose}" if isinstance(nearest, str) else ""
    return f"{found}: {percent(share, 0)} of its words{source}"


def _block(kind: str, title: str, shown: str, label: str, below: str = "") -> str:
    foot = f'<p class="mq-note">{escape(below)}</p>' if below else ""
    return (
        f'<section class="mq-card {kind}"><h2>{escape(title)}</h2>'
        f'<div class="mq-text" tabindex="0" role="region" aria-label="{escape(label)}">{shown}</div>{foot}</section>'
    )


def _float(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]
