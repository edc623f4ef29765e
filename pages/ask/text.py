"""What the widget says around the answers, as HTML: every text that came from elsewhere is escaped."""

from collections.abc import Sequence
from html import escape

from medqa_core.answering.compare import Answer
from medqa_core.answering.emergency.screen import BESIDE, CALL
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.data.overlap import Span

NOTICE = '<p class="muted" role="note">A research demo: two small language models, often wrong. Not medical advice.</p>'
STATES = {
    "running": "answering",
    "ended": "ended by the model",
    "cut": "cut at the token limit",
    "stopped": "stopped",
}
WHO = {
    "base": "Base model",
    "fine_tuned": "Fine-tuned model",
    "with_sources": "With sources",
    "left": "Left answer",
    "right": "Right answer",
}


def status(text: str, *, bad: bool = False) -> str:
    """The line above the answers, read out when it changes."""
    role = "alert" if bad else "status"
    return f'<p role="{role}" aria-live="polite" class="{"bad" if bad else "muted"}">{escape(text)}</p>'


def who(column: str) -> str:
    """Whose answer stands below, with its model's colour as the card's edge; `left` and `right` say nothing of it."""
    return f'<div class="who {column}">{escape(WHO[column])}</div>'


def referred() -> str:
    """The referral, in place of the answers and read out at once."""
    return f'<div role="alert" class="referral"><strong>{escape(CALL)}</strong><p>{escape(BESIDE)}</p></div>'


def about(emergencies: str) -> str:
    """What this demo is, and how well it tells an emergency."""
    parts = (
        "Two small language models answer: the base model as it was published, and the same model after a fine-tune. "
        "Neither knows medicine; both make things up. Nothing here is medical advice.",
        "A question that describes an emergency is not put to them; the emergency number is given instead. What "
        f"decides is a small statistical classifier, which understands nothing. {emergencies}",
        "Under each answer stands what produced it: the hashes of the weights and the prompt, the settings, the seed.",
        "A vote keeps which answer was preferred and the hour, nothing about you; whoever runs this demo may have "
        "chosen to keep the question's text too.",
    )
    return "".join(f"<p>{escape(part)}</p>" for part in parts)


def meta(answer: Answer, spans: Sequence[Span] = (), questions: dict[str, str] | None = None) -> str:
    """The lines under an answer: what produced it, and what of it stands in the training set, behind disclosures.

    Args:
        answer: the answer.
        spans: its text in pieces, marked against the training answers; none: not compared.
        questions: training questions by id, to name the one whose answer was copied.
    """
    made = answer.provenance
    adapter = f"adapter {made.adapter_sha256[:8]}" if made.adapter_sha256 else "no adapter"
    short = (
        f"{made.model}, {adapter} · {answer.tokens} tokens in {answer.seconds:.1f} s "
        f"({answer.tokens_per_second:.1f} a second) · {STATES[answer.state]}"
    )
    facts = {
        "run": made.run_id,
        "base weights, SHA-256": made.base_sha256,
        "adapter, SHA-256": made.adapter_sha256 or "none: this is the base model as it is",
        "engine": made.engine,
        "prompt": f"{made.prompt}, SHA-256 {made.prompt_sha256}",
        "temperature": f"{made.temperature:g}",
        "longest answer": f"{made.max_new_tokens} tokens",
        "seed": str(made.seed),
    }
    rows = "".join(f"<div>{escape(name)}: <code>{escape(value)}</code></div>" for name, value in facts.items())
    return f"<details><summary>{escape(short)}</summary>{rows}</details>" + _marked(spans, questions or {})


def _marked(spans: Sequence[Span], questions: dict[str, str]) -> str:
    if not spans:
        return ""
    length = sum(len(span.text) for span in spans) or 1
    shares = {kind: sum(len(s.text) for s in spans if s.kind == kind) / length for kind in ("copied", "near copy")}
    short = f"From the training set: {shares['copied']:.0%} copied, {shares['near copy']:.0%} near copy"
    tags = {"copied": ("mark", "copied"), "near copy": ("mark", "near")}
    text = "".join(
        f'<{tag[0]} class="{tag[1]}" title="{escape(span.kind)}">{escape(span.text)}</{tag[0]}>'
        if (tag := tags.get(span.kind))
        else escape(span.text)
        for span in spans
    )
    nearest = next((questions[s.id] for s in spans if s.id in questions), "") if any(s.id for s in spans) else ""
    named = f"<div>Nearest training question: {escape(nearest)}</div>" if nearest else ""
    key = (
        '<div><mark class="copied">copied</mark> <mark class="near">near copy</mark> the rest is in neither form</div>'
    )
    return f"<details><summary>{short}</summary><div class='spans'>{text}</div>{key}{named}</details>"


def sources(passages: Sequence[Passage]) -> str:
    """The passages that the third column read, each with where it is from; only these links can be clicked."""
    items = "".join(
        f"<li>{_link(passage)}<details><summary>passage</summary>{escape(passage.text)}</details></li>"
        for passage in passages
    )
    return f'<div class="sources">Sources, the run’s own training documents:<ol>{items}</ol></div>' if items else ""


def _link(passage: Passage) -> str:
    name = escape(f"{passage.topic}: {passage.question}" if passage.topic else passage.question)
    if passage.url is None or not passage.url.startswith(("https://", "http://")):
        return f"{name} ({escape(passage.source)})"
    address = escape(passage.url, quote=True)
    return (
        f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow">{name}</a> ({escape(passage.source)})'
    )
