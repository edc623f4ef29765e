"""Computed sentences with the rows they rest on."""

from collections.abc import Sequence
from html import escape

from medqa_core.report.insights import Insight
from pages.shared.markup import html, rich


def findings(title: str, found: Sequence[Insight]) -> None:
    """Each sentence; its evidence opens below it."""
    none = '<p class="mq-note">Nothing that the data of this run support.</p>'
    html(f"<h2>{escape(title)}</h2>" + ("".join(_finding(one) for one in found) or none))


def _finding(one: Insight) -> str:
    rows = "".join(f"<li><code>{escape(row)}</code></li>" for row in one.evidence)
    effect = f"<p class='mq-note'>Size: {rich(one.effect)}</p>" if one.effect else ""
    return (
        f'<div class="mq-finding"><p>{rich(one.sentence)}</p><details><summary>Evidence</summary>'
        f'<div class="mq-evidence"><ul>{rows}</ul>{effect}'
        f'<p class="mq-note">False if {rich(one.false_if)}.</p></div></details></div>'
    )
