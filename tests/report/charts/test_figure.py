"""What every figure shares: labels that keep apart, and text that stays text."""

from itertools import pairwise

from medqa_core.report.charts.figure import figure, label_shifts, plain
from medqa_core.report.charts.palette import DARK, LIGHT


def test_end_labels_keep_their_distance() -> None:
    shifts = label_shifts([1.0, 1.01, 1.02, 2.0], 1.0, 2.0, 300)
    heights = sorted((v - 1.0) * 300 + s for v, s in zip([1.0, 1.01, 1.02, 2.0], shifts, strict=True))
    assert all(b - a >= 14 for a, b in pairwise(heights))
    assert label_shifts([1.0], 1.0, 1.0, 300) == [0]


def test_a_figure_takes_the_colours_it_is_given() -> None:
    light, dark = (figure(100, x="step", y="loss", palette=palette) for palette in (LIGHT, DARK))
    assert light.layout.template.layout.font.color == LIGHT.text
    assert dark.layout.template.layout.font.color == DARK.text
    assert light.layout.xaxis.title.text == "step"


def test_labels_read_no_tags() -> None:
    assert plain("a <b> & c") == "a &lt;b&gt; &amp; c"
