"""What metrics, models and verdicts are called: one name each, for reports, pages and commands."""

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
    "loss_outside_templates": Spec("loss outside templates", "nats per token", 4, True),
    "topic_information": Spec("topic information", "nats per token", 4, False),
    "rouge1": Spec("ROUGE-1", "", 4, False),
    "rouge2": Spec("ROUGE-2", "", 4, False),
    "rougeL": Spec("ROUGE-L", "", 4, False),
    "token_f1": Spec("token F1", "", 4, False),
    "rougeL_outside_templates": Spec("ROUGE-L outside templates", "", 4, False),
    "token_f1_outside_templates": Spec("token F1 outside templates", "", 4, False),
    "content_f1": Spec("content F1", "", 4, False),
    "specifics": Spec("specifics F1", "", 4, False),
    "mmlu": Spec("MMLU", "% right", 1, False),
}

MODELS = {"base": "base", "fine_tuned": "fine-tuned", "with_sources": "with passages"}
"""The models whose answers are compared, by the name that files use; "the … model" but for the last one."""

CONTROLS = {
    "template_answer": "template answer",
    "nearest_answer": "nearest training answer",
    "top_passage": "top passage",
}
"""Answers without a model that the models are judged against, by the name that files use."""

SCORINGS = {"letter": "letter", "calibrated": "calibrated letter", "cloze": "answer text"}
"""How a multiple-choice question is scored, by the name that files use."""

SIGNS = {"better": "▲", "worse": "▼", "equivalent": "≈", "cannot tell": "?"}
"""The sign that goes with a verdict, so that colour never carries its meaning alone."""

LOSS = ("loss", "perplexity", "bits_per_byte")
WORDING = ("rougeL", "token_f1", "rouge1", "rouge2")
CONTENT = ("content_f1", "token_f1_outside_templates", "rougeL_outside_templates", "specifics")
"""Words that are neither template nor the question's own: what an answer says about its topic."""
TOPIC = ("topic_information", "loss_outside_templates")
"""What of the references a model predicts because of the question's topic, and outside templates."""
FAMILIES = (LOSS, WORDING, ("mmlu",))
"""Metrics that say nearly the same; the verdict counts the first of each that was compared."""


INCONCLUSIVE = "inconclusive"
"""What readers see where files say `cannot tell`."""


def verdict_word(verdict: str) -> str:
    """A verdict as a word; one that is not known is none."""
    return INCONCLUSIVE if verdict == "cannot tell" or verdict not in SIGNS else verdict


def verdict_mark(verdict: str) -> str:
    """A verdict with the sign that goes with it."""
    return f"{SIGNS.get(verdict, SIGNS['cannot tell'])} {verdict_word(verdict)}"
