"""Pages as a visitor opens them, in this process and without a browser."""

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).parents[2] / "pages" / "main.py"
PAGES = tuple(
    f"{name}/{name}.py" for name in ("summary", "loss_curves", "metrics", "answers", "data", "compare", "ask")
)
Open = Callable[..., AppTest]
"""What the fixture `open_page` is: `open_page("metrics/metrics.py", run="a")`."""
