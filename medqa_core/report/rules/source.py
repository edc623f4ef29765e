"""An imported run: what of the source's figures was checked, and with what result."""

from collections.abc import Iterator

from medqa_core.foundation.format import words
from medqa_core.report.facts import Facts
from medqa_core.report.rules.insight import Insight


def checks(facts: Facts) -> Iterator[Insight]:
    """Each check that failed, then those that passed in one sentence."""
    made = facts.record.imported.checks if facts.record.imported else []
    for check in made:
        if check.passed is False:
            yield Insight(
                "check",
                f"The source's figures contradict each other: {words(check.name)} fails.",
                (f"run.json, imported.checks: {words(check.detail)}",),
                words(check.detail),
                "the reported figures did agree",
                subject=words(check.name, 60),
            )
    passed = [check for check in made if check.passed]
    if passed:
        known = sum(check.passed is not None for check in made)
        yield Insight(
            "checks_passed",
            f"The source's figures agree with each other in {len(passed)} of the {known} checks that can be made: "
            f"{'; '.join(words(check.name) for check in passed)}.",
            tuple(f"{words(check.name, 60)}: {words(check.detail)}" for check in passed),
            f"{len(passed)} of {known} checks pass",
            "one of the reported figures was changed",
        )
