"""The histogram of token lengths."""

import numpy as np
import pytest

from medqa_core.report.charts.lengths import histogram, overflows, token_lengths_figure


@pytest.mark.parametrize("limit", [16, 100, 384, 8192])
@pytest.mark.parametrize("longest", [1, 90, 5000])
def test_no_bar_is_half_cut_off(limit: int, longest: int) -> None:
    prompt = np.arange(longest, dtype=np.int64) % 40 + 1
    whole = prompt + np.arange(longest, dtype=np.int64) + 1
    bars = histogram(whole, limit)
    assert bars["examples"].sum() == longest
    assert len(bars) <= 120
    assert bars[bars["from"] > limit]["examples"].sum() == (whole > limit).sum()
    assert token_lengths_figure(whole, limit, 0.5).data


def test_no_examples_are_no_error() -> None:
    none = np.array([], dtype=np.int64)
    assert histogram(none, 384)["examples"].sum() == 0 and not overflows(none, 384)


def test_the_truncated_share_is_named_at_the_limit() -> None:
    [note] = token_lengths_figure(np.arange(1, 101), 64, 0.36).layout.annotations
    assert note.text == "cut at 64: 36.0%"
