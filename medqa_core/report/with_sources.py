"""Did reading passages help? The answer that the grounded part of evaluation.json supports."""

from collections.abc import Mapping

from medqa_core.report.names import METRICS, WORDING
from medqa_core.report.verdict import change_text, is_compared, level_text, supported
from medqa_core.runs.schema.evaluation import Grounded, Metric

SIDES = {"base": "base", "fine_tuned": "fine-tuned"}
_HOW = {
    "better": "share more words with the references than {whose}",
    "worse": "share fewer words with the references than {whose}",
    "equivalent": "share about as many words with the references as {whose}",
    "cannot tell": "cannot be told apart from {whose} by the words that they share with the references",
}


def sentence(grounded: Grounded) -> str:
    """The grounded answers against both models', each on the first wording metric that was compared; may be empty."""
    parts, level = [], "95%"
    for side, metrics in against(grounded).items():
        name = next((name for name in WORDING if name in metrics and is_compared(metrics[name])), None)
        if name is not None:
            metric = metrics[name]
            level = level_text(metric)
            whose = "its own without them" if side == grounded.weights else f"the {SIDES[side]} model’s"
            how = _HOW[supported(name, metric)].format(whose=whose)
            parts.append(f"{how} ({METRICS[name].label} {change_text(name, metric)})")
    if not parts:
        return ""
    who = f"With passages to read, the {SIDES[grounded.weights]} model’s answers"
    return f"{who} {', and '.join(parts)}; {level} intervals."


def against(grounded: Grounded) -> dict[str, Mapping[str, Metric]]:
    """The comparisons by side, base first."""
    return {
        "base": {str(name): metric for name, metric in grounded.against_base.items()},
        "fine_tuned": {str(name): metric for name, metric in grounded.against_fine_tuned.items()},
    }
