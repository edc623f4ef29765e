"""Did reading passages help? The answer that the with_sources part of evaluation.json supports."""

from collections.abc import Mapping

from medqa_core.report.names import METRICS, WORDING
from medqa_core.report.verdict import change_text, is_compared, level_text, supported
from medqa_core.runs.schema.evaluation import Metric, WithSources

VARIANTS = {"base": "base", "fine_tuned": "fine-tuned"}
_HOW = {
    "better": "share more words with the references than {whose}",
    "worse": "share fewer words with the references than {whose}",
    "equivalent": "share about as many words with the references as {whose}",
    "cannot tell": "cannot be told apart from {whose} by the words that they share with the references",
}


def sentence(with_sources: WithSources) -> str:
    """The answers with sources against both models', each on the first wording metric compared; may be empty."""
    parts, level = [], "95%"
    for variant, metrics in against(with_sources).items():
        name = next((name for name in WORDING if name in metrics and is_compared(metrics[name])), None)
        if name is not None:
            metric = metrics[name]
            level = level_text(metric)
            whose = "its own without them" if variant == with_sources.weights else f"the {VARIANTS[variant]} model’s"
            how = _HOW[supported(name, metric)].format(whose=whose)
            parts.append(f"{how} ({METRICS[name].label} {change_text(name, metric)})")
    if not parts:
        return ""
    who = f"With passages to read, the {VARIANTS[with_sources.weights]} model’s answers"
    return f"{who} {', and '.join(parts)}; {level} intervals."


def against(with_sources: WithSources) -> dict[str, Mapping[str, Metric]]:
    """The comparisons by variant, base first."""
    return {
        "base": {str(name): metric for name, metric in with_sources.against_base.items()},
        "fine_tuned": {str(name): metric for name, metric in with_sources.against_fine_tuned.items()},
    }
