"""Tables of the documentation, which tests hold to the program."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def section(page: str, heading: str) -> str:
    """What stands below a heading of a page of the documentation, up to the next one of its level or above."""
    text = (DOCS / page).read_text("utf-8")
    level = heading.partition(" ")[0]
    _, found, below = text.partition(f"\n{heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    return re.split(rf"\n#{{1,{len(level)}}} ", below, maxsplit=1)[0]


def refusals(page: str, heading: str) -> dict[str, str]:
    """The table `| what is refused | `sentence` |` below a heading; a sentence with marks in it stands between two."""
    rows = re.findall(r"(?m)^\| ([^|]+?) \| (`{1,2})(.+?)\2 \|$", section(page, heading))
    return {name: sentence for name, _, sentence in rows}
