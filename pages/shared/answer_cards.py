"""One test question: what was asked, its references, and both models' answers. Everything in it is escaped."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

import pandas as pd

from medqa_core.data.pairs import QAPair
from medqa_core.foundation.errors import shorten
from medqa_core.foundation.format import count, listing, number, percent, plural, signed
from medqa_core.report.answer_rows import SCORES, used_references
from medqa_core.report.names import METRICS, MODELS
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


References = Mapping[str, tuple[str, ...]]
"""All reference answers of each question by its id, its own first."""


def cards(
    rows: list[dict[str, Any]],
    texts: dict[str, QAPair] | None,
    references: References,
    *,
    score: str,
    highlight: str,
    address: Callable[[str], str],
) -> None:
    """The questions of one page, each a link to `address` of its id."""
    shown = (
        card(row, texts or {}, references, score=score, highlight=highlight, link=address(str(row["question_id"])))
        for row in rows
    )
    html("".join(shown))


def card(
    row: dict[str, Any],
    texts: dict[str, QAPair],
    references: References,
    *,
    score: str,
    highlight: str,
    level: int = 2,
    link: str = "",
    whole: bool = False,
) -> str:
    """The question with both answers and every reference that they were scored against.

    `level` is the heading's, `link` the address of the question by itself; `whole` shows long answers to their end.
    """
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
    known = _scored(row, pair, references)
    used = used_references(row, known, score) if known else {}
    variants = "".join(
        _answer(row, variant, known[used.get(variant, 0)] if known else "", highlight, texts) for variant in VARIANTS
    )
    if link:
        question = f'<a href="{escape(link, quote=True)}" target="_self">{question}</a>'
    kind = "mq-row mq-whole" if whole else "mq-row"
    body = f'<article class="{kind}"><h{level} class="mq-q">{question}</h{level}>'
    body += f'<p class="mq-note">{escape(" · ".join(about))}</p>'
    body += f'<div class="mq-cards">{variants}'
    return f"{body}{_references(row, known, used, score)}</div></article>"


def _references(row: dict[str, Any], known: tuple[str, ...], used: dict[str, int], score: str) -> str:
    """Every reference; those that no figure on the card is from are folded."""
    blocks = [_reference(row, known, place, used, score) for place in range(len(known))]
    behind = [place for place in range(1, len(known)) if place not in used.values()]
    shown = "".join(block for place, block in enumerate(blocks) if place not in behind)
    if not behind:
        return shown
    folded = "".join(blocks[place] for place in behind)
    more = plural(len(behind), "more reference that was", "more references that were")
    return f'{shown}<details class="mq-part wide"><summary>{more} scored</summary>{folded}</details>'


def _scored(row: dict[str, Any], pair: QAPair | None, references: References) -> tuple[str, ...]:
    """The references that the row's scores are from: of runs from before several of them counted, the own one."""
    if pair is None:
        return ()
    known = references.get(pair.id, (pair.answer,))
    return known[:1] if _float(row.get("references")) is None else known


def _reference(row: dict[str, Any], known: tuple[str, ...], place: int, used: dict[str, int], score: str) -> str:
    """One reference; of several, which score is from it."""
    title, about = "Reference answer", []
    tokens = _float(row.get("reference_tokens")) if place == 0 else None
    if len(known) > 1:
        title = f"Reference answer {place + 1} of {len(known)}"
        of = [f"{VARIANTS[variant][2]} {name}" for variant, name in MODELS.items() if used.get(variant) == place]
        if of and score != "loss":
            about.append(f"used for the {METRICS[score].label} of {listing(of)}")
        if place == 0:
            about.append("used for the loss of both")
        scored = _float(row.get("references"))
        if place == 0 and scored is not None and int(scored) != len(known):
            about.append(f"scored against {count(int(scored))}, of which the data here give {count(len(known))}")
    if tokens:
        title += f", {count(int(tokens))} tokens"
    kind = "wide used" if len(known) > 1 and place in used.values() else "wide"
    return _block(kind, title, escape(known[place]), title, " · ".join(about))


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
        f'<section class="mq-card {kind}"><p class="mq-who">{escape(title)}</p>'
        f'<div class="mq-text" tabindex="0" role="group" aria-label="{escape(label)}">{shown}</div>{foot}</section>'
    )


def _float(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]
