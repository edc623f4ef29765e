"""Did reading passages help? The answer in words."""

from medqa_core.report.names import MODELS
from medqa_core.report.views.with_sources import comparisons, own_hidden
from medqa_core.report.wording.metric import change_text, level_text
from medqa_core.runs.schema.evaluation import WithSources

_HOW = {
    "better": "share more words with the references than {whose}",
    "worse": "share fewer words with the references than {whose}",
    "equivalent": "share about as many words with the references as {whose}",
    "cannot tell": "cannot be told apart from {whose} by the words that they share with the references",
}


def sentence(found: WithSources, *, of_readers: bool) -> str:
    """The answers with passages against both models', each on the first wording metric compared; may be empty.

    Args:
        found: what was measured.
        of_readers: whether both models' own answers, which these are compared with, read passages too.
    """
    parts, level = [], "95%"
    for comparison in comparisons(found):
        metric = comparison.wording
        if metric is not None:
            level = level_text(metric.level)
            whose = "its own" if comparison.own else f"the {MODELS[comparison.variant]} model’s"
            if of_readers:
                whose += " from the whole library"
            elif comparison.own:
                whose += " without them"
            how = _HOW[metric.verdict].format(whose=whose)
            parts.append(f"{how} ({metric.label} {change_text(metric)})")
    if not parts:
        return ""
    given = "With their questions’ own documents hidden" if own_hidden(found) else "With passages to read"
    who = f"{given}, the {MODELS[found.weights]} model’s answers"
    return f"{who} {', and '.join(parts)}; {level} intervals."
