"""What speaks against a gain, in words: the second sentence of a headline."""

from collections.abc import Callable

from medqa_core.foundation.format import count, listing, number, percent, plural
from medqa_core.report.names import CONTROLS, METRICS
from medqa_core.report.views.caveats import Caveat
from medqa_core.report.wording.metric import value_text

MOST = 5
"""Caveats in the sentence."""
NO_OVERLAP = "no 13-word overlap with the training data"
"""What makes a test question part of the clean subset."""


def caveats_text(caveats: tuple[Caveat, ...]) -> str:
    """`But …; …; ….`: the strongest ones; empty where there is none."""
    said = [_TEXTS[caveat.kind](caveat) for caveat in caveats[:MOST]]
    return f"But {'; '.join(said)}." if said else ""


def _control(caveat: Caveat) -> str:
    (metric,) = caveat.metrics
    ours, theirs = (value_text(metric, value) for value in (caveat.other, caveat.value))
    label = METRICS[metric].label
    return f"{CONTROLS[caveat.control]}s without a model score {theirs} on {label}, the fine-tuned model {ours}"


def _against_base(caveat: Caveat) -> str:
    return "" if caveat.other is None else f", of the base model’s {percent(caveat.other, 0)}"


_TEXTS: dict[str, Callable[[Caveat], str]] = {
    "diverged": lambda c: f"its training diverged (the loss went from {number(c.other, 1)} to {number(c.value, 1)})",
    "no_overlap_at_all": lambda c: (
        f"its answers share no words with the references ({METRICS[c.metrics[0]].label} "
        f"{value_text(c.metrics[0], c.value)})"
    ),
    "repeats": lambda c: (
        f"{percent(c.value, 0)} of its answers’ runs of four words repeat earlier ones{_against_base(c)}"
    ),
    "empty": lambda c: f"{percent(c.value, 0)} of its answers are empty{_against_base(c)}",
    "control": _control,
    "copied": lambda c: f"{percent(c.value, 0)} of its answers are copies of training answers{_against_base(c)}",
    "leaks_unknown": lambda _: "what it was trained on is not known here, so leaks cannot be excluded",
    "two_models": lambda _: "it is another model than the base and no fine-tune of it, so no training did this",
    "no_clean_part": lambda _: f"no test question has {NO_OVERLAP}, so this may be memory",
    "not_on_clean_part": lambda c: (
        f"on the {plural(c.n or 0, 'question')} whose reference answer has {NO_OVERLAP}, "
        f"the gain on {listing([METRICS[name].label for name in c.metrics])} is not confirmed"
    ),
    "no_controls": lambda _: "no answers without a model were measured beside it",
    "templates": lambda c: f"{percent(c.value, 0)} of its answers’ words are template text{_against_base(c)}",
    "unended": lambda c: f"{percent(c.value, 0)} of its answers are cut at the token limit",
    "partly_scored": lambda c: f"only {percent(c.value, 0)} of the references’ text enters the loss",
    "mmlu_at_chance": lambda c: f"MMLU is at chance ({percent(c.value)} of {count(c.n)} questions)",
}
