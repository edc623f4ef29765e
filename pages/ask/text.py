"""What the Ask page writes around the answers, as HTML: every text that came from elsewhere is escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal

from medqa_core.answering.attribution import LEAST_SUPPORT, Sentence
from medqa_core.answering.compare import COLUMN_NAMES, MOST_TURNS, Answer, Answers, Column, Earlier, FinishReason
from medqa_core.answering.emergency.quality import Rate, ScreenQuality
from medqa_core.answering.emergency.questions import Language
from medqa_core.answering.emergency.screen import BESIDE, CALL
from medqa_core.answering.question import Question
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.training_set import Overlap
from medqa_core.evaluation.blind import VoteResult
from medqa_core.foundation.format import listing, plural
from medqa_core.models.variants import VARIANTS
from medqa_core.report.wording import library as wording
from medqa_core.runs.artifacts.votes import Choice

NOTICE = (
    "<h1>What do both models answer?</h1>"
    '<p class="muted" role="note">A research demo: two small language models, often wrong. Not medical advice.</p>'
)
"""The head of the widget where it stands alone; in the app's frame the page has both."""
FINISH: dict[FinishReason | None, str] = {
    None: "answering",
    "stop": "ended by the model",
    "length": "reached the token limit",
    "cancelled": "stopped at the time limit",
    "no_passage": "no model was asked",
}
"""How far an answer is, as the core says it; of those that it hands out to the end only the time limit cancels any."""
Cut = Literal["stopped", "failed"]
"""What became of answers that were not handed out to the end: their reader stopped them, or an error did."""
ASK, AGAIN = "Ask both models", "Try again"
"""What the button is called that asks, and after a failure that may pass."""
CHOICES: dict[Choice, str] = {
    "left": "Left is better",
    "right": "Right is better",
    "tie": "Tie",
    "both bad": "Both bad",
}
LANGUAGE_NAMES: dict[Language, str] = {
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "de": "German",
    "pt": "Portuguese",
    "zh": "Chinese",
}
State = Literal[
    "ready", "waiting", "loading", "answering", "comparing", "voting", "voting first", "unvotable", "stopped", "ended",
    "out of time", "unvotable in time", "failed", "refused",
]  # fmt: skip
STATES: dict[State, str] = {
    "ready": "Both models answer at the same time.",
    "waiting": "Waiting for a turn.",
    "loading": "Loading the models; the first question takes a few seconds.",
    "answering": "The models are answering.",
    "comparing": "Comparing with the training set.",
    "voting": "Which answer is better? Your vote reveals which model gave which.",
    "voting first": "Which answer is better? Your vote reveals which model gave which, and the answer with sources.",
    "unvotable": "Done. There is nothing to vote on: that takes two whole answers.",
    "stopped": "Stopped.",
    "ended": "Done.",
    "out of time": "Stopped at the time limit of {seconds:g} s.",
    "unvotable in time": "Stopped at the time limit of {seconds:g} s. "
    "There is nothing to vote on: that takes two whole answers.",
    "failed": "An error ended the answers; the log of this app has it. Ask again.",
    "refused": "No model was asked.",
}
"""Where a question stands, in the one line that says so; an error that is known says itself what it is."""
Place = Literal["left", "right"]
PLACES: dict[Place, str] = {"left": "Left answer", "right": "Right answer"}
"""What a card is called while nobody is told whose answer it holds."""


def status(text: str, *, bad: bool = False, state: State | None = None) -> str:
    """A line in a place that is read out when it changes; an error is at once. `state` is for the style sheet."""
    role, named = (' role="alert"' if bad else ""), (f' data-state="{state}"' if state else "")
    return f'<p{role} class="{"bad" if bad else "muted"}"{named}>{escape(text)}</p>'


def state(name: State, seconds: float = 0) -> str:
    """Where a question stands; `seconds` is the time limit."""
    return status(STATES[name].format(seconds=seconds), bad=name == "failed", state=name)


def out_of_time(answers: Answers) -> bool:
    """Whether the time limit ended any of these answers, which were handed out to the end."""
    return any(answer.finish_reason == "cancelled" for answer in answers.by_column.values())


def who(name: Column | Place) -> str:
    """Whose answer stands below, with its model's colour as the card's edge; `left` and `right` say nothing of it."""
    label = PLACES[name] if name == "left" or name == "right" else COLUMN_NAMES[name]
    return f'<div class="who {name}">{escape(label)}</div>'


def referral() -> str:
    """The referral, in place of the answers and read out at once."""
    return f'<div role="alert" class="referral"><strong>{escape(CALL)}</strong><p>{escape(BESIDE)}</p></div>'


def notice(question: Question) -> str:
    """What is shown before the answers to a question in a language in which emergencies are not recognised."""
    return f'<p role="status" class="referral">{escape(question.notice)}</p>' if question.notice else ""


def voted(result: VoteResult) -> str:
    """What a voter is told: whose answers they were, and ROUGE-L where there is a reference."""
    names = {variant: COLUMN_NAMES[variant].lower() for variant in VARIANTS}
    text = f"Vote saved. Left: {names[result.left]}. Right: {names[result.right]}."
    if result.rouge_l is None:
        return text
    scores = ", ".join(f"{names[variant]} {value:.4f}" for variant, value in result.rouge_l.items())
    return f"{text} ROUGE-L on this test question: {scores}."


def after_vote(result: VoteResult, tally: Mapping[str, int]) -> str:
    """Below the ballot: the reference of a test question, and what was voted in this session."""
    known = "".join(f"<p>{escape(text)}</p>" for text in result.references[:1])
    more = len(result.references) - 1
    reference = f"<p><strong>Reference answer</strong>{f', one of {more + 1}' if more > 0 else ''}</p>{known}"
    counted = ", ".join(f"{escape(name)} {n}" for name, n in tally.items())
    return f'<div class="after">{reference if known else ""}<p class="muted">This session: {counted}.</p></div>'


def history(earlier: Earlier, answers: Answers | None = None) -> str:
    """The turns before a question, the oldest first, and how many of them its prompt has no room for."""
    turns = list(zip(*(earlier[variant] for variant in VARIANTS), strict=True)) if earlier else []
    if not turns:
        return ""
    left_out = max((one.provenance.turns_left_out for one in answers.by_column.values()), default=0) if answers else 0
    items = "".join(
        f"<li><details><summary>{escape(both[0].question)}</summary>"
        + "".join(
            f"<p><strong>{COLUMN_NAMES[variant]}</strong><br>{escape(turn.answer)}</p>"
            for variant, turn in zip(VARIANTS, both, strict=True)
        )
        + f"</details>{' <em>not in the prompt</em>' if place < left_out else ''}</li>"
        for place, both in enumerate(turns)
    )
    full = (
        f"<p>{plural(left_out, 'older turn is', 'older turns are')} not in the prompt: {MOST_TURNS} turns are the "
        "most, fewer where the model reads less at once.</p>"
        if left_out
        else ""
    )
    return f'<div class="history"><p>Earlier in this conversation</p><ol>{items}</ol>{full}</div>'


def about(screen: ScreenQuality, by_language: Mapping[Language, ScreenQuality]) -> str:
    """What this demo is, and how well it recognises an emergency, in each language too."""
    found = listing([f"{one.recall.count} of {one.recall.of} in {LANGUAGE_NAMES[n]}" for n, one in by_language.items()])
    total = screen.recall.of + screen.false_alarms.of
    parts = (
        "Two small language models answer: the base model as it was published, and the same model after a fine-tune. "
        "Neither knows medicine; both make things up. Nothing here is medical advice.",
        "A question that describes an emergency is not put to them; the emergency number is given instead. What "
        "decides is a small statistical classifier, which understands nothing. "
        f"On {total:,} questions written to test it, which it was not trained on, it found {_rate(screen.recall)} of "
        f"the emergencies and gave a needless referral to {_rate(screen.false_alarms)} of the others. "
        f"Emergencies found by language: {found}. In other languages they are not recognised, and the page says so.",
        "Under each answer: what produced it, with the hashes of weights and prompt, the settings and the seed.",
        "A vote stores which answer was preferred and the hour, nothing about you; whoever runs this demo may have "
        "chosen to store the question's text too.",
    )
    return "".join(f"<p>{escape(part)}</p>" for part in parts)


def finish(answer: Answer, cut: Cut | None = None) -> str:
    """How far an answer is, in words."""
    return cut if cut and answer.finish_reason is None else FINISH[answer.finish_reason]


def unnamed(answer: Answer, cut: Cut) -> str:
    """The line under an answer that was cut and must not tell whose it is."""
    return f'<p class="muted">{finish(answer, cut)}</p>'


def meta(answer: Answer, overlap: Overlap | None = None, cut: Cut | None = None) -> str:
    """The lines under an answer: what produced it and, where it was compared, what of it stands in the training set."""
    made = answer.provenance
    adapter = f"adapter {made.adapter_sha256[:8]}" if made.adapter_sha256 else "no adapter"
    short = (
        f"{made.model}, {adapter} · {answer.tokens} tokens in {answer.seconds:.1f} s "
        f"({answer.tokens_per_second:.1f} tokens/s) · {finish(answer, cut)}"
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
        "no run of tokens twice": f"from {made.no_repeat_ngram} tokens on" if made.no_repeat_ngram else "off",
        "passages read": str(made.passages),
        "earlier turns in the prompt": str(made.turns)
        + (f"; {plural(made.turns_left_out, 'older one')} left out" if made.turns_left_out else ""),
    }
    rows = "".join(f"<div>{escape(name)}: <code>{escape(value)}</code></div>" for name, value in facts.items())
    return f"<details><summary>{escape(short)}</summary>{rows}</details>" + (_marked(overlap) if overlap else "")


def _marked(overlap: Overlap) -> str:
    spans = overlap.spans
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
    nearest = overlap.nearest_question
    named = f"<div>Nearest training question: {escape(nearest)}</div>" if nearest else ""
    legend = (
        '<div><mark class="copied">copied</mark> <mark class="near">near copy</mark> the rest is in neither form</div>'
    )
    return f"<details><summary>{short}</summary><div class='spans'>{text}</div>{legend}{named}</details>"


def linked(answer: Answer, sentences: Sequence[Sentence]) -> str:
    """An answer with sources: each sentence leads to the passage that supports it, or is marked as unsupported.

    Nothing in it tells whose answer it is: a blind comparison shows it before the vote.
    """
    body = escape(answer.text)
    if sentences:
        open_end = sentences[-1] if answer.finish_reason is None else None  # more of it may come
        body = "".join(_sentence(one, marked=one is not open_end) for one in sentences)
    return f'<div class="linked" role="region" aria-label="Answer with sources" tabindex="0">{body}</div>'


def _sentence(sentence: Sentence, *, marked: bool) -> str:
    text = sentence.text.rstrip()
    gap = sentence.text[len(text) :]
    if sentence.share is None or not marked:
        mark = ""
    elif sentence.passage is None:
        mark = f' <span class="cite none" title="{UNSUPPORTED}">[unsupported]</span>'
    else:
        said = f"Passage {sentence.passage} holds {sentence.share:.0%} of this sentence’s content words"
        mark = f' <a class="cite" href="#passage-{sentence.passage}" title="{said}">[{sentence.passage}]</a>'
    return f"{escape(text)}{mark}{escape(gap)}"


UNSUPPORTED = f"No passage holds {LEAST_SUPPORT:.0%} of this sentence’s content words"


def sources(answers: Answers) -> str:
    """What was searched and the passages that were read, each with where it is from."""
    found = answers.searched
    if found is None:
        return ""
    said = wording.sentence(found.kind, found.title, found.passages, found.match, found.least_match)
    if found.before:
        said += f" A follow-up is looked up together with the question before it, “{found.before}”"
    items = "".join(
        f'<li id="passage-{number}" tabindex="-1">{_link(passage)}<details open><summary>passage {number}</summary>'
        f"{escape(passage.text)}</details></li>"
        for number, passage in enumerate(answers.passages, 1)
    )
    warning = f"<p><strong>{escape(wording.off_topic(answers.off_topic))}</strong></p>" if answers.off_topic else ""
    legend = (
        "<p>A number behind a sentence leads to the passage with the most of its content words, "
        f"{LEAST_SUPPORT:.0%} at least; that the passage says the same is for you to check.</p>"
    )
    return (
        f'<div class="sources"><p>{escape(said)}</p>{warning}'
        + (f"<ol>{items}</ol>{legend}" if items else "")
        + "</div>"
    )


def _rate(rate: Rate) -> str:
    low, high = rate.interval
    return f"{rate.value:.1%} ({rate.count} of {rate.of}; 95% interval {low:.1%} to {high:.1%})"


def _link(passage: Passage) -> str:
    name = escape(": ".join(part for part in (passage.topic, passage.question) if part))
    where = escape(passage.source + (f", page {passage.page}" if passage.page else ""))
    if passage.url is None or not passage.url.startswith(("https://", "http://")):
        return f"{name} ({where})"
    address = escape(passage.url, quote=True)
    return f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow">{name}</a> ({where})'
