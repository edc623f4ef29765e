"""A finding on one line: its sentence, the rows it rests on, and what would make it wrong."""

from medqa_core.report.rules.insight import Insight


def evidence_text(finding: Insight) -> str:
    """The rows that a finding rests on."""
    return f"Evidence: {'; '.join(row.rstrip('.') for row in finding.evidence)}."


def wrong_text(finding: Insight) -> str:
    """What the data would have to show for it to be wrong."""
    return f"Would be wrong if {finding.false_if}."


def finding_text(finding: Insight, *, brief: bool = False) -> str:
    """All of it; `brief`: without what would make it wrong."""
    parts = [finding.sentence, evidence_text(finding), *([] if brief else [wrong_text(finding)])]
    return " ".join(parts)
