"""An imported run: what of the source's figures was checked, and with what result."""

from collections.abc import Iterator

from medqa_core.report.facts import Facts
from medqa_core.report.format import words
from medqa_core.report.rules.insight import Insight


def checks(facts: Facts) -> Iterator[Insight]:
    """The checks that could be made, failed ones first."""
    made = facts.record.imported.checks if facts.record.imported else []
    for wanted, outcome in ((False, "fails"), (True, "passes")):
        for check in made:
            if check.passed is wanted:
                yield Insight(
                    f"check:{words(check.name, 60)}",
                    f"The source's figures were checked against each other: {words(check.name)} {outcome}.",
                    (f"run.json, imported.checks: {words(check.detail)}",),
                    words(check.detail),
                    "the reported figures did agree" if wanted is False else "the reported figures did not agree",
                )
