"""The data page: the picked run's data, another set from the address, and what it says where there is nothing."""

import json
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from medqa_core.data import hub, starter
from medqa_core.data.split import grouped_split
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch
from medqa_core.jobs.task import TaskStatus, all_tasks, write_task_status
from medqa_core.jobs.task_worker import working
from medqa_core.models import toy
from medqa_core.runs.schema.status import ProcessIdentity
from tests.support.hostile import HOSTILE
from tests.support.pages import Open, elements, press
from tests.support.runs import RunBuilder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No model in the cache, unless a test puts one there."""
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "cache"


def shown(app: AppTest) -> str:
    assert not app.exception, [e.message for e in app.exception]
    return "\n".join(element.value for element in elements(app, "html"))


def change(folder: Path, *, data: dict[str, object] | None = None, **config: object) -> None:
    """Change the run's configuration and what it recorded of its data."""
    record = json.loads((folder / "run.json").read_text())
    record["config"] |= config
    record["data"] |= {"split_hash": None} if data is None else data
    (folder / "run.json").write_text(json.dumps(record))


def test_the_runs_data_are_split_as_the_run_was(build: RunBuilder, open_page: Open) -> None:
    folder = build.finished().folder
    split = grouped_split(starter.load().pairs, (300, 40, 60), 7)
    sizes = {"train_size": 300, "validation_size": 40, "test_size": 60, "split_seed": 7}
    change(folder, data={"split_hash": split.hash}, **sizes)
    app = open_page("data/data.py")
    text = shown(app)
    assert app.title[0].value == "What is the model trained on?"
    assert "The starter set: 578 usable pairs; 300 are for training, 40 for validation and 60 for the test." in text
    assert "No test question shares its document, a name or specific concept of its topic" in text
    assert "Template text" in [h.value for h in app.header]
    assert split.hash in text
    assert "These are not the data" not in text
    assert "Duplicates dropped" in text and "By question type" in [h.value for h in app.header]
    assert [b.label for b in elements(app, "download_button")] == ["Download as CSV", "Download the counts as CSV"]


def test_another_split_than_the_recorded_one_is_said(build: RunBuilder, open_page: Open) -> None:
    build.finished()  # its record has a hash of zeros
    text = shown(open_page("data/data.py"))
    assert "These are not the data that this run was trained on." in text
    assert "000000000000" in text


def test_a_random_split_leaks_in_red_and_in_words(build: RunBuilder, open_page: Open) -> None:
    change(build.finished().folder, split_method="random")
    text = shown(open_page("data/data.py"))
    assert '<p class="mq-worse" role="status">▼ The test set leaks: of ' in text
    assert '<span class="mq-worse">▼ ' in text
    assert text.index("Random split") < text.index("Grouped split")


def test_another_data_set_is_in_the_address(build: RunBuilder, open_page: Open) -> None:
    change(build.finished().folder, train_size=100, validation_size=40, test_size=60)
    assert "; 100 are for training" in shown(open_page("data/data.py"))
    app = open_page("data/data.py", data="starter")
    assert "; 449 are for training" in shown(app)
    app = open_page("data/data.py", data="nonsense")
    assert "; 100 are for training" in shown(app)


def test_an_imported_run_says_so_and_offers_the_data_sets(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    app = open_page("data/data.py")
    text = shown(app)
    assert "This run was imported" in text and "3,500 training / 750 validation / 750 test" in text
    assert "The starter set: 578 usable pairs" in shown(open_page("data/data.py", data="starter"))


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ("some/one", ["Data set not available.", "medqa data fetch some/one"]),
        ("gone.csv", ["Data set cannot be read", "does not exist"]),
        ("<b>x</b>", ["&lt;b&gt;x"]),
    ],
)
def test_data_out_of_reach(dataset: str, words: list[str], build: RunBuilder, open_page: Open) -> None:
    change(build.finished().folder, dataset=dataset)
    text = shown(open_page("data/data.py"))
    assert [word for word in [*words, "What the run recorded of its data."] if word not in text] == []
    assert "<b>x" not in text


def test_data_that_are_not_at_hand_are_fetched_by_a_task(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_start_task", lambda entry, settings: None)
    build.finished()
    app = press(open_page("data/data.py", data="medquad"), "Fetch medquad")
    [entry] = all_tasks(Settings.from_environment())
    assert (entry.task.kind, entry.task.arguments) == ("fetch", {"name": "medquad"})
    assert "Fetching medquad" in shown(app) and "waiting for its turn on the device" in shown(app)
    going = TaskStatus(state="running", process=ProcessIdentity.current(), stage="download", done=3_100_000)
    write_task_status(entry.folder, going)
    assert "downloading · 3 MB so far" in shown(app.run())
    write_task_status(entry.folder, going.model_copy(update={"total": 12_400_000}))
    assert "downloading · 3 MB of 12 MB (25%)" in shown(app.run())
    with pytest.raises(DataUnavailable):
        write_task_status(entry.folder, TaskStatus())
        with working(entry.task.id, Settings.from_environment()):
            raise hub.unavailable("lavita/MedQuAD", "is not in the cache and the hub cannot be reached")
    text = shown(app.run())
    assert "Fetching medquad: failed." in text and "set MEDQA_MEDQUAD to MedQuAD&#x27;s ZIP" in text
    press(app, "Try again")
    [entry] = all_tasks(Settings.from_environment())
    assert entry.state == "queued"
    write_task_status(entry.folder, TaskStatus(state="done"))
    app = open_page("runs/runs.py")
    assert "medquad is in the cache: give <code>medquad</code> as the data set of a fine-tune." in shown(app)
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    for page in (open_page("data/data.py", data="medquad"), open_page("runs/runs.py")):
        assert "etch" not in " ".join(b.label for b in page.button) and "in the cache: give" not in shown(page)


def test_too_many_asked_for(build: RunBuilder, open_page: Open) -> None:
    change(build.finished().folder, test_size=5000)
    assert "test_size: at most " in shown(open_page("data/data.py"))


def own_file(build: RunBuilder, tmp_path: Path) -> Path:
    texts = [f"{HOSTILE} {n}" for n in range(60)]
    rows = [{"question": f"{text}?", "answer": f"{text}.", "topic": f"<b>{n}"} for n, text in enumerate(texts)]
    path = tmp_path / "my <i>file.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    change(build.finished().folder, dataset=str(path), test_size=0.3)
    return path


def test_an_own_file_is_shown_letter_for_letter(build: RunBuilder, open_page: Open, tmp_path: Path) -> None:
    path = own_file(build, tmp_path)
    text = shown(open_page("data/data.py", part="test"))
    assert "60 usable pairs" in text and "18 for the test" in text
    assert "<img" not in text and "<i>file" not in text and "&lt;i&gt;file" in text
    path.write_text(path.read_text().splitlines()[0] + "\n{")
    assert "row 2, column 2: torn, or not valid JSON" in shown(open_page("data/data.py"))


def test_an_own_file_stays_private_on_a_public_demo(
    build: RunBuilder, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_file(build, tmp_path)
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    text = shown(open_page("data/data.py"))
    assert "This is a public demo: data sets that are files of its machine are not shown." in text
    assert "usable pairs" not in text


def test_lengths_with_and_without_a_tokenizer(build: RunBuilder, open_page: Open, cache: Path) -> None:
    change(build.finished().folder, base_model="toy", max_tokens=64)
    app = open_page("data/data.py")
    assert "Example lengths are not known here." in shown(app)
    assert "Fetch smollm2-135m-instruct" in [b.label for b in app.button]
    toy.ensure(cache)
    app = open_page("data/data.py")
    assert "All 578 usable pairs in tokens of toy: mean " in shown(app)
    chart = app.get("plotly_chart")[0].proto.spec
    assert "cut at 64: " in chart
    assert "Download the histogram as CSV" in [b.label for b in elements(app, "download_button")]
    tokenizer = cache / "models" / "toy" / "tokenizer.json"
    tokenizer.write_text("{" + " " * (tokenizer.stat().st_size - 1))  # of the right size, but torn
    st.cache_resource.clear()
    text = shown(open_page("data/data.py"))
    assert "The tokens cannot be counted." in text and "578 usable pairs" in text


def test_template_text_is_told_by_question_type_with_the_longest(
    build: RunBuilder, open_page: Open, tmp_path: Path
) -> None:
    form = "What is {0}? {0} is a thing that we say nothing about, but it is {1}."
    rows = [f"What is thing{n}?,{form.format(f'thing{n}', f'sign{n}')},thing{n},information" for n in range(40)]
    rows += [f"Why {n}?,{f'Because{n}.' if n else 'Why is it so?'},cause{n},causes" for n in range(9)]
    (tmp_path / "my.csv").write_text(
        "\n".join(["question,answer,topic,type", *(row.replace(", but", " but") for row in rows)])
    )
    change(
        build.finished().folder, dataset=str(tmp_path / "my.csv"), train_size=None, test_size=None, validation_size=None
    )
    text = shown(open_page("data/data.py"))
    assert "What is [topic]? [topic] is a thing that we say nothing about but it is" in text
    assert "of the words of all usable answers: runs of 8 words that stand in answers on 5 topics or more" in text
    assert text.index("information") < text.index("causes")
    row = text[text.index("Answers that are only a question") :].partition("</tr>")[0]
    assert ">1<" in row and "kept" in row


def test_data_that_are_away_still_say_what_the_run_recorded(build: RunBuilder, open_page: Open) -> None:
    overlap: dict[str, float] = {"document": 0, "focus": 0, "question": 0, "answer": 0, "synonym": 3}
    shares = dict.fromkeys(("ngram13_any", "ngram13_over_half", "ngram13_over_80"), 0.25)
    split = {"train": 300, "validation": 40, "test": 60}
    recorded: dict[str, object] = {
        "split_hash": None,
        "split": split,
        "truncated_share": 0.125,
        "overlap": overlap | shares,
    }
    change(build.finished().folder, dataset="some/one", data=recorded)
    text = shown(open_page("data/data.py"))
    assert "Data set not available." in text and "▼ 3 (5.0%)" in text and "25.0%" in text
    assert "Truncated training examples" in text and "12.5%" in text


def test_prepared_answers_are_shown_before_and_after(build: RunBuilder, open_page: Open, tmp_path: Path) -> None:
    rows = [{"question": f"What is sign {n}?", "answer": f"What is sign {n}? It is number {n}."} for n in range(60)]
    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    change(build.finished().folder, dataset=str(path), test_size=0.3, preparation="answers")
    app = open_page("data/data.py")
    text = shown(app)
    assert "Prepared answers" in [h.value for h in app.header]
    assert "Opening that repeats the question dropped" in text and "As learnt" in text
    change(tmp_path / "reports" / "finished", preparation="none")
    assert "As learnt" not in shown(open_page("data/data.py"))
