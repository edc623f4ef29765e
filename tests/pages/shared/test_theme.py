"""The look: contrast, and one set of colours in Python and in Streamlit's configuration."""

import re
import tomllib
from pathlib import Path

import pytest

from medqa_core.report.charts.palette import DARK, LIGHT, Palette, faint, rgb
from medqa_core.report.style import CSS

ROOT = Path(__file__).parents[3]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
INK = ("text", "muted", "base", "tuned", "with_sources", "control", "better", "worse", "link")


def luminance(colour: str) -> float:
    parts = [c / 255 for c in rgb(colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_every_ink_reads_on_paper(palette: Palette) -> None:
    for role in INK:
        assert contrast(getattr(palette, role), palette.paper) >= 4.5, role
    for place, colour in enumerate(palette.runs):
        assert contrast(colour, palette.paper) >= 4.5, place
    for role in ("text", "muted", "tuned", "link"):
        assert contrast(getattr(palette, role), palette.panel) >= 4.5, role


@pytest.mark.parametrize(("name", "palette"), [("light", LIGHT), ("dark", DARK)])
def test_configuration_has_the_same_colours(name: str, palette: Palette) -> None:
    theme = CONFIG["theme"][name]
    assert theme["primaryColor"] == palette.tuned
    assert theme["backgroundColor"] == palette.paper
    assert theme["secondaryBackgroundColor"] == palette.panel
    assert theme["textColor"] == palette.text
    assert theme["linkColor"] == palette.link
    assert theme["borderColor"] == palette.rule
    assert theme["greenColor"] == palette.better and theme["redColor"] == palette.worse


def test_configuration_is_safe_by_default() -> None:
    assert CONFIG["server"]["address"] == "localhost"
    assert CONFIG["server"]["enableXsrfProtection"] and CONFIG["server"]["enableCORS"]
    assert not CONFIG["server"]["enableStaticServing"]
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert "http" not in str(CONFIG["theme"])


def test_faint_keeps_the_colour() -> None:
    assert faint("#0B7A75", 0.5) == "rgba(11,122,117,0.5)"


def test_colours_are_written_in_one_place() -> None:
    """A colour that is repeated is one that is changed in one place and forgotten in the other."""
    files = [path for folder in ("medqa_core", "pages") for path in (ROOT / folder).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix() for path in files if re.search(r"#[0-9A-Fa-f]{6}\b", path.read_text())}
    assert found == {"medqa_core/report/charts/palette.py"}


def test_the_report_takes_the_same_colours() -> None:
    for role in ("paper", "text", "muted", "base", "tuned", "better", "worse"):
        assert f"--{role}:{getattr(LIGHT, role)}" in CSS and f"--{role}:{getattr(DARK, role)}" in CSS
