"""Every page on runs with a damaged file: it opens, and says which file could not be read."""

import random
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.reliability.damage import Damage, damages, store_of_two
from tests.support.pages import shown

pytestmark = pytest.mark.reliability

MAIN = Path(__file__).parents[2] / "pages" / "main.py"
ALL = ("summary", "loss_curves", "metrics", "answers", "data", "compare", "runs", "ask", "fine_tune")
FACTS = ("summary", "metrics", "compare")
SHOWN_ON: dict[str, tuple[str, ...]] = {
    "run.json": ALL,
    "status.json": FACTS,
    "metrics.jsonl": (*FACTS, "loss_curves"),
    "evaluation.json": FACTS,
    "predictions.parquet": (*FACTS, "answers"),
    "mmlu_results/results.json": FACTS,
    "mmlu_results/answers.parquet": FACTS,
    "retrieval.json": ("metrics",),
    "judge.json": ("metrics",),
    "judge.parquet": ("metrics",),
    "votes.jsonl": ("metrics",),
    "trials.csv": FACTS,
}
"""The pages that read a file, and have to say so where they cannot."""
ELSEWHERE = (
    "job.json", "train.log", "int8.json", "with_sources.parquet", "manifest.json", "summary.html", "README.md",
    "adapter/adapter_config.json", "adapter/adapter_model.safetensors",
)  # fmt: skip
"""Files that are read when something is asked for, and that must not keep a page from opening."""
GONE = {
    "run.json": ("summary", "This run cannot be opened."),
    "status.json": ("summary", "Its status.json is missing or cannot be read."),
    "metrics.jsonl": ("loss_curves", "no loss curve"),
    "evaluation.json": ("summary", "has not been evaluated"),
    "predictions.parquet": ("answers", "This run has no answers to show."),
}
"""Where and in what words a file is missed."""
EACH = 13
"""Damages drawn for each file that a page reads; of the others, three."""


@pytest.fixture(scope="module")
def store(smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    return store_of_two(smoke, tmp_path_factory.mktemp("damaged") / "reports")


@pytest.fixture(autouse=True)
def environment(store: RunStore, lab: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MEDQA_REPORTS", str(store.folder))
    monkeypatch.setenv("MEDQA_CACHE", str(lab.cache))
    yield
    st.cache_resource.clear()


def opened(page: str) -> str:
    """The text of the page on the run; it drew without a fault."""
    st.cache_resource.clear()
    app = AppTest.from_file(MAIN, default_timeout=120)
    app.query_params["run"] = "whole"
    app.switch_page(f"{page}/{page}.py").run()
    assert not app.exception, [element.message for element in app.exception]
    assert not app.error, [element.value for element in app.error]
    assert len(app.title) == 1
    return unescape("\n".join([shown(app), *(e.value for e in app.markdown), *(e.value for e in app.title)]))


def unread(store: RunStore, name: str) -> bool:
    """Whether a reader finds something wrong with the file, as the run is now."""
    try:
        run = store.open("whole")
    except MedQAError:
        return True
    return name in run.snapshot().problems_by_file


def drawn(store: RunStore, name: str) -> list[Damage]:
    """The absence of the file, and cuts and flips by lot."""
    every = list(damages(name, (store.folder / "whole" / name).read_bytes()))
    lot = random.Random(f"pages {name}")
    cuts, flips = ([d for d in every if d.kind == kind] for kind in ("cut", "flip"))
    count = EACH if name in SHOWN_ON else 3
    return [every[0], *lot.sample(cuts, count // 2), *lot.sample(flips, count - 1 - count // 2)]


@pytest.mark.parametrize("name", [*SHOWN_ON, *ELSEWHERE])
def test_pages_open_and_name_what_is_damaged(store: RunStore, name: str) -> None:
    path = store.folder / "whole" / name
    content = path.read_bytes()
    lot = random.Random(name)
    try:
        for damage in drawn(store, name):
            damage.apply(store.folder / "whole", content)
            page, said = lot.choice(SHOWN_ON.get(name, ALL)), ""
            if damage.kind == "gone":
                page, said = GONE.get(name, (page, ""))
            text = opened(page)
            if damage.kind == "gone":
                assert said in text, (page, damage)
            elif name in SHOWN_ON and unread(store, name):
                assert name.rsplit("/", 1)[-1] in text, (page, damage)
                assert "could not be read" in text or "cannot be opened" in text, (page, damage)
    finally:
        path.write_bytes(content)


def test_the_whole_run_has_nothing_to_complain_of(store: RunStore) -> None:
    for page in ("summary", "metrics", "answers"):
        text = opened(page)
        assert "could not be read" not in text and "cannot be opened" not in text, page
