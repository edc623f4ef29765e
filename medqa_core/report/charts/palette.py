"""The colours by role and the fonts: the one place for pages, charts, the HTML report and the question widget.

.streamlit/config.toml, which Streamlit reads by itself, repeats some of them; a test keeps the two equal.
"""

from dataclasses import dataclass, fields

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial, sans-serif"
MONO = "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', 'Liberation Mono', monospace"


@dataclass(frozen=True)
class Palette:
    """Colours by what they mean. Each keeps a contrast of 4.5 or more on `paper`."""

    paper: str
    panel: str
    rule: str
    text: str
    muted: str
    base: str
    tuned: str
    with_sources: str
    control: str
    better: str
    worse: str
    link: str
    runs: tuple[str, ...]
    """Runs in one chart: distinct for colour-blind readers, and each also has its own dash and label."""

    def verdict(self, verdict: str) -> str:
        """The colour that goes with a verdict; muted for one that is neither better nor worse."""
        return {"better": self.better, "worse": self.worse}.get(verdict, self.muted)


ROLES = tuple(field.name for field in fields(Palette) if field.name != "runs")
"""The roles of a single colour, for a style sheet's variables."""

LIGHT = Palette(
    paper="#FCFCFA",
    panel="#F3F4F1",
    rule="#DDE0DC",
    text="#1B2430",
    muted="#5B6675",
    base="#64748B",
    tuned="#0B7A75",
    with_sources="#8A5A00",
    control="#6D4AA2",
    better="#1D7A3C",
    worse="#B42318",
    link="#0B6B9E",
    runs=("#0B7A75", "#9C4A00", "#5A4FB5", "#0B6B9E", "#A3266F", "#4F6A10"),
)
DARK = Palette(
    paper="#11161D",
    panel="#1A212B",
    rule="#2C3642",
    text="#E8EDF2",
    muted="#9AA7B5",
    base="#9AA9BC",
    tuned="#3CC5BC",
    with_sources="#E0A93B",
    control="#B79BE8",
    better="#4FC27A",
    worse="#FF8577",
    link="#5CB8EC",
    runs=("#3CC5BC", "#F0A35E", "#ADA2F7", "#5CB8EC", "#F08CC3", "#B4C95A"),
)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""Line styles of runs in one chart, so that colour never carries the meaning alone."""


def faint(colour: str, alpha: float = 0.28) -> str:
    """`colour` (#RRGGBB) made see-through, for raw values behind their smoothed line."""
    red, green, blue = rgb(colour)
    return f"rgba({red},{green},{blue},{alpha})"


def rgb(colour: str) -> tuple[int, int, int]:
    """The three parts of #RRGGBB."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
