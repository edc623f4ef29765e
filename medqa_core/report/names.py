"""What the metrics are called, how they are written, and what they mean to someone who has never met them."""

from typing import NamedTuple


class Spec(NamedTuple):
    """How a metric is named and written."""

    label: str
    unit: str
    digits: int
    lower_is_better: bool


METRICS: dict[str, Spec] = {
    "loss": Spec("loss", "nats per token", 4, True),
    "perplexity": Spec("perplexity", "", 2, True),
    "bits_per_byte": Spec("bits per byte", "", 4, True),
    "rouge1": Spec("ROUGE-1", "", 4, False),
    "rouge2": Spec("ROUGE-2", "", 4, False),
    "rougeL": Spec("ROUGE-L", "", 4, False),
    "token_f1": Spec("token F1", "", 4, False),
    "mmlu": Spec("MMLU", "% right", 1, False),
}

MODELS = {"base": "base", "fine_tuned": "fine-tuned", "with_sources": "with passages"}
"""The models whose answers are compared, by the name that files use; "the … model" but for the last one."""

MARKS = {"better": "▲ better", "worse": "▼ worse", "equivalent": "≈ equivalent", "cannot tell": "? cannot tell"}

LOSS = ("loss", "perplexity", "bits_per_byte")
WORDING = ("rougeL", "token_f1", "rouge1", "rouge2")
FAMILIES = (LOSS, WORDING, ("mmlu",))
"""Metrics that say nearly the same; the verdict counts the first of each that was compared."""

_PLAIN = {
    LOSS: "{who} predicts the reference answers {how}",
    WORDING: "{whose} answers share {how} words with {them}",
    ("mmlu",): "{who} gets {how} exam questions on medicine right",
}
_HOW = {
    LOSS: {"better": "better", "worse": "less well", "equivalent": "about as well as before"},
    WORDING: {"better": "more", "worse": "fewer", "equivalent": "about as many"},
    ("mmlu",): {"better": "more", "worse": "fewer", "equivalent": "about as many"},
}


def plainly(name: str, verdict: str, before: str | None) -> str:
    """A metric's verdict in everyday words, the metric's name behind it.

    `before`: the metric of the clause before it; None where the clause opens the sentence and says whom it speaks of.
    """
    family, first = next(family for family in FAMILIES if name in family), before is None
    them = "them" if before in LOSS else "the reference answers"
    who, whose = ("after fine-tuning the model", "after fine-tuning the model’s") if first else ("it", "its own")
    how = _HOW[family].get(verdict, _HOW[family]["better"])  # what cannot be told is whether it became better
    return f"{_PLAIN[family].format(who=who, whose=whose, how=how, them=them)} ({METRICS[name].label})"


def verdict_mark(verdict: str) -> str:
    """A verdict with the sign that goes with it."""
    return MARKS.get(verdict, MARKS["cannot tell"])
