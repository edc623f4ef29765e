"""Cohen's kappa against values worked out by hand."""

import pytest

from medqa_core.report.statistics.agreement import cohens_kappa


def test_by_hand() -> None:
    """20 both yes, 15 both no, 5 and 10 apart: 0.7 seen, 0.5 by chance (Cohen's 2 × 2 example of textbooks)."""
    ours = ["yes"] * 25 + ["no"] * 25
    theirs = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohens_kappa(ours, theirs) == pytest.approx(0.4)


def test_its_ends() -> None:
    assert cohens_kappa(["a", "b"], ["a", "b"]) == 1.0
    assert cohens_kappa(["a", "a", "b", "b"], ["a", "b", "a", "b"]) == 0.0
    assert cohens_kappa([], []) is None and cohens_kappa(["a"], ["a"]) is None
    with pytest.raises(ValueError, match="1 and 0 ratings"):
        cohens_kappa(["a"], [])
