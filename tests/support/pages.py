"""Pages as a visitor opens them, in this process and without a browser."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from streamlit.components.v2 import manifest_scanner
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

MAIN = Path(__file__).parents[2] / "pages" / "main.py"
PAGES = tuple(
    f"{name}/{name}.py" for name in ("summary", "loss_curves", "metrics", "answers", "data", "compare", "ask")
)
# Each page under test would look through every installed package for components: two thirds of its time.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

Open = Callable[..., AppTest]
"""What the fixture `open_page` is: `open_page("metrics/metrics.py", run="a")`."""


def visit(page: str, /, seconds: float = 20, **address: str) -> AppTest:
    """Open a page as a visitor does, through the shell; `address` is the query, `seconds` how long it may take."""
    app = AppTest.from_file(MAIN, default_timeout=seconds)
    for name, value in address.items():
        app.query_params[name] = value
    return app.switch_page(page).run()


def elements(app: AppTest | Block, kind: str) -> list[Any]:
    """The page's elements of a kind that Streamlit's test has no attribute for."""
    return list(app.get(kind))


def shown(app: AppTest) -> str:
    """The HTML of the page."""
    return "\n".join(element.value for element in elements(app, "html"))


def headings(app: AppTest) -> list[str]:
    """The page's headings of the second and third level."""
    return [element.value for element in [*app.header, *app.subheader]]


def texts(app: AppTest) -> str:
    """All that the page says, in HTML and Markdown; it drew without an exception."""
    assert not app.exception, [e.message for e in app.exception]
    html = [element.value for element in elements(app, "html") if not element.value.startswith("<style>")]
    return "\n".join([*html, *(e.value for e in [*app.markdown, *app.caption])])


def held(app: AppTest) -> dict[str, WidgetState]:
    """What a browser holds of the page's inputs, by their ids."""
    return {state.id: state for state in app._tree.get_widget_states().widgets}


def send(app: AppTest, states: Mapping[str, WidgetState]) -> AppTest:
    """The page as it is once a browser has sent these values, and those of no other input."""
    return app._run(WidgetStates(widgets=states.values()))


def press(app: AppTest, label: str) -> AppTest:
    """Press the button that is called so and can be pressed."""
    found = next(b for b in app.button if b.label == label)
    assert not found.disabled, label
    app = found.click().run()
    assert not app.exception, [e.message for e in app.exception]
    return app
