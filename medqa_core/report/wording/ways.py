"""Fine-tuning, sources, or both, in words."""

from medqa_core.evaluation.ways import READER, WayName, Ways
from medqa_core.foundation.format import listing, plural
from medqa_core.report.views.metric import MetricView, metric_views
from medqa_core.report.wording.metric import change_text

TITLE = "Fine-tuning, sources, or both?"
NAMES: dict[WayName, str] = {
    "base": "base",
    "fine_tuned": "fine-tuned",
    "base_reading": "base with sources",
    "fine_tuned_reading": "fine-tuned to read, with sources",
    "top_passage": "top passage alone",
    "template_answer": "template answer",
    "nearest_answer": "nearest training answer",
}
_ALONE: tuple[WayName, ...] = ("fine_tuned", "base_reading")
"""Fine-tuning without sources, and sources without fine-tuning."""


def content(found: Ways, name: WayName) -> MetricView | None:
    """The reader's content F1 against that of a way; None where it was not compared."""
    way = found[name]
    return metric_views(way.against.items()).get("content_f1") if way else None


def sentence(found: Ways) -> str:
    """Whether fine-tuning, sources or both make the better answers, by content F1, and what no model is needed for."""
    alone = {name: view for name in _ALONE if (view := content(found, name)) is not None}
    where = f"On {plural(found.questions, 'test question')} of both runs"
    if len(alone) < len(_ALONE):
        return f"{where}, content F1 was not measured of both models: nothing is concluded."
    by_verdict: dict[str, list[str]] = {}
    for name, view in alone.items():
        by_verdict.setdefault(view.verdict, []).append(f"{NAMES[name]} ({change_text(view)})")
    said = [f"{_THAN[verdict]} {listing(names)}" for verdict, names in by_verdict.items()]
    verdicts = {view.verdict for view in alone.values()}
    word = "Both." if verdicts == {"better"} else _instead(alone)
    if alone["fine_tuned"].verdict == "better" and _no_model_needed(found):
        word = "The search alone."
    return f"{word} {where}, the model that was fine-tuned to read is {'; '.join(said)}, by content F1.{_top(found)}"


_THAN = {
    "better": "better than",
    "worse": "worse than",
    "equivalent": "as good as",
    "cannot tell": "inconclusive against",
}


def _instead(alone: dict[WayName, MetricView]) -> str:
    tuned, sources = (alone[name].verdict for name in _ALONE)
    if tuned == "better":
        more = " Whether fine-tuning adds to them is inconclusive." if sources == "cannot tell" else ""
        return f"Sources.{more}"
    if sources == "better":
        more = " Whether sources add to it is inconclusive." if tuned == "cannot tell" else ""
        return f"Fine-tuning.{more}"
    return "Inconclusive." if "cannot tell" in (tuned, sources) else "One is enough."


def _no_model_needed(found: Ways) -> bool:
    """Whether the search's first passage, as it stands, is at least as good as what the model makes of the passages."""
    view = content(found, "top_passage")
    return view is not None and view.verdict in ("worse", "equivalent")


def _top(found: Ways) -> str:
    view = content(found, "top_passage")
    if view is None:
        return ""
    return f" {_AGAINST_TOP[view.verdict]} the top passage alone, which needs no model ({change_text(view)})."


_AGAINST_TOP = {
    "better": "It is better than",
    "worse": "It is worse than",
    "equivalent": "It is no better than",
    "cannot tell": "It is inconclusive against",
}


def caption(found: Ways) -> str:
    """What the table shows."""
    return (
        f"{plural(found.questions, 'question')} on {plural(found.groups, 'independent topic')}, answered from the "
        f"weights in {found.closed}, after reading in {found.open_book}. Differences are {NAMES[READER]} − the row; "
        "95% intervals over whole topics, p-values corrected together (Holm)."
    )
