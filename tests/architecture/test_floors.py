"""The house: floors import downwards only, torch and the user interface stay where they belong."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TORCH_FLOOR = ("models", "answering", "evaluation", "training", "cluster.nodes")
BELOW: dict[str, tuple[str, ...]] = {
    "foundation": (),
    "runs": ("foundation",),
    "data": ("foundation", "runs"),
    "models": ("foundation", "runs", "data"),
    "answering": ("foundation", "runs", "data", "models"),
    "scores": ("foundation", "runs", "data"),
    "evaluation": ("foundation", "runs", "data", "scores", "models", "answering"),
    "training": ("foundation", "runs", "data", "scores", "models", "answering", "evaluation"),
    "jobs": ("foundation", "runs", "data"),
    "cluster": ("foundation", "runs", "data", "jobs"),
    "cluster.nodes": ("foundation", "runs", "data", "models", "answering", "evaluation", "training", "jobs", "cluster"),
    "report": ("foundation", "runs", "data", "scores"),
    "library": ("foundation", "runs", "report"),
    "cli": ("foundation", "runs", "data", "scores", *TORCH_FLOOR, "jobs", "cluster", "report"),
}
"""What each package may import. `jobs` starts training as another process and never imports it; so does `cluster`,
which names what runs on the nodes of a cluster (`cluster.nodes`) and has it imported there."""

SCORES = {
    f"medqa_core.evaluation.{name}"
    for name in (
        "between_runs",
        "content",
        "judge",
        "mcnemar",
        "paired_items",
        "preference",
        "rule",
        "specifics",
        "tables",
        "text_metrics",
        "ways",
    )
}
"""Modules of `evaluation` that know texts and tables alone, no model: pages and reports may score and judge with them.
What one of them imports from its own folder belongs here too."""

TORCH = {"torch", "transformers", "peft", "accelerate", "safetensors", "tokenizers", "gguf", "lm_eval", "openvino"}
UI = {"streamlit", "gradio"}


@cache
def modules() -> dict[str, Path]:
    """Every module of the program by its dotted name."""
    files = [ROOT / "app.py", *(ROOT / "medqa_core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    return {_name(path): path for path in files if "__pycache__" not in path.parts}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imported(module: str) -> frozenset[str]:
    """Everything that a module imports, also inside its functions: a lazy import would only hide a cycle."""
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return frozenset(name for node in ast.walk(tree) for name in _targets(node))


def _targets(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute here"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in modules() else str(node.module)


def floor(module: str) -> str | None:
    """The floor of a module of the core: the longest package name in BELOW that it lies in, else its top package."""
    if module in SCORES:
        return "scores"
    parts = module.split(".")
    if parts[0] != "medqa_core" or len(parts) < 2:
        return None
    within = [".".join(parts[1 : end + 1]) for end in range(len(parts) - 1, 0, -1)]
    return next((name for name in within if name in BELOW), parts[1])


def of_core() -> list[str]:
    return sorted(name for name in modules() if name.startswith("medqa_core"))


def test_every_folder_of_the_core_is_a_known_floor() -> None:
    floors = {floor(name) for name in of_core()} - {None, "__main__"}
    assert floors <= set(BELOW), floors - set(BELOW)


@pytest.mark.parametrize("name", sorted(BELOW))
def test_floor_imports_only_from_below(name: str) -> None:
    for module in of_core():
        if floor(module) == name:
            reached = {floor(target) for target in imported(module)} - {None, name}
            assert reached <= set(BELOW[name]), f"{module} imports {sorted(map(str, reached - set(BELOW[name])))}"


def test_no_import_cycles() -> None:
    graph = {name: [t for t in imported(name) if t in modules() and t != name] for name in modules()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


def test_no_user_interface_in_the_core() -> None:
    for module in of_core():
        found = {target.split(".")[0] for target in imported(module)} & UI
        assert not found, f"{module} imports {found}"


def test_figures_are_drawn_in_one_place() -> None:
    """Plotly in the core's charts and nowhere else, so that nothing else of the core waits for it."""
    users = {m for m in modules() if any(target.split(".")[0] == "plotly" for target in imported(m))}
    assert users and all(
        module.startswith("medqa_core.report.charts.") or module == "pages.shared.charts" for module in users
    )


def test_torch_only_on_its_floor() -> None:
    for module in modules():
        found = {target.split(".")[0] for target in imported(module)} & TORCH
        assert not found or floor(module) in TORCH_FLOOR, f"{module} imports {found}"


def test_ray_only_where_a_cluster_is_the_subject() -> None:
    """Ray is an extra: `cluster` loads it when it connects; `cluster.nodes` is imported on a cluster's nodes only."""
    users = {m for m in modules() if any(target.split(".")[0] == "ray" for target in imported(m))}
    assert users and {floor(module) for module in users} == {"cluster.nodes"}
    outside = [m for m in modules() if floor(m) != "cluster.nodes"]
    assert not [m for m in outside if any(floor(target) == "cluster.nodes" for target in imported(m))]


def test_gradio_only_in_the_widget() -> None:
    users = {m for m in modules() if any(target.split(".")[0] == "gradio" for target in imported(m))}
    assert users <= {f"pages.ask.{name}" for name in ("widget", "parts", "events", "look", "waiting")}


LIGHT = {"medqa_core.models.token_lengths"}
"""On the torch floor because it reads a model's files, without torch; its own tests hold it to that."""


def test_only_ask_reaches_the_torch_floor() -> None:
    """So that opening the app, and every page but Ask's iframe, stays light; Ask's own page loads it when asked."""
    for module in modules():
        widget = module.startswith(("pages.ask.", "pages.web.widget_guard")) and module != "pages.ask.ask"
        if module.startswith("pages") and not widget:
            reached = {floor(target) for target in imported(module) - LIGHT} & {*TORCH_FLOOR, "cli"}
            assert not reached, f"{module} imports {reached}"


PAGE_PACKAGES = ("summary", "loss_curves", "metrics", "answers", "data", "compare", "runs", "ask", "fine_tune")


def test_a_page_imports_no_other_page() -> None:
    """What two pages use lives in `pages.shared`, what the server needs in `pages.web`; neither imports a page."""
    for module in modules():
        parts = module.split(".")
        if parts[0] != "pages" or len(parts) < 3:
            continue
        pages = {target.split(".")[1] for target in imported(module) if target.startswith("pages.")}
        reached = (pages & set(PAGE_PACKAGES)) - {parts[1]}
        assert not reached, f"{module} imports pages.{reached}"
