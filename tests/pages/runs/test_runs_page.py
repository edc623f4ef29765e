"""The Runs page: the table, what can be done with ticked runs, and that a demo's visitor can do none of it."""

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import TextArea, TextInput

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.task import TaskStatus, all_tasks, read_entry, write_task_status
from medqa_core.jobs.tasks import submit_task
from medqa_core.runs.artifacts.labels import Labels, read_labels
from medqa_core.runs.schema.config import READING_VERSION, SPLIT_VERSION, TrainConfig
from medqa_core.runs.schema.status import ProcessIdentity
from medqa_core.runs.store import bin
from medqa_core.runs.store.labelling import LabelChange, change_labels
from pages.fine_tune.fields import label_of
from tests.support.pages import Open, held, press, send
from tests.support.pages import texts as shown
from tests.support.runs import RunBuilder

PAGE = "runs/runs.py"


def tick(app: AppTest, *ids: str) -> AppTest:
    for run_id in ids:
        next(c for c in app.checkbox if c.key and c.key.startswith(f"tick {run_id} ")).check()
    return app.run()


def untick(app: AppTest, run_id: str) -> AppTest:
    next(c for c in app.checkbox if c.key and c.key.startswith(f"tick {run_id} ")).uncheck()
    return app.run()


def form(app: AppTest, name: str, run_id: str) -> TextInput | TextArea:
    """A field of the form under Edit."""
    fields: list[TextInput | TextArea] = [*app.text_input, *app.text_area]
    return next(found for found in fields if (found.key or "").startswith(f"edit {name} {run_id} "))


def labels(app: AppTest) -> list[str]:
    return [b.label for b in app.button if not b.disabled]


def order(app: AppTest) -> list[str]:
    return [c.key.removeprefix("tick ").rpartition(" ")[0] for c in app.checkbox if c.key and c.key.startswith("tick ")]


def test_the_table(build: RunBuilder, open_page: Open) -> None:
    build.finished("a", title="First")
    build.imported("b")
    build.broken()
    app = open_page(PAGE)
    text = shown(app)
    assert "3 runs: 1 completed, 1 imported, 1 unreadable." in text
    assert "▲ better" in text and "−0.5906" in text and "run.json is not valid JSON" in text
    of_ticked = {"Open", "Compare", "Reuse settings", "Archive", "Delete"}
    assert not {*of_ticked, "Import"} & {*labels(app)}, "nothing is ticked and nothing typed"
    assert set(order(app)) == {"a", "b", "broken"}


def test_it_is_ordered_and_filtered(build: RunBuilder, open_page: Open) -> None:
    build.finished("a", title="Zebra")
    build.finished("b", title="apple")
    build.failed("c")
    app = open_page(PAGE)
    app.selectbox(key="runs-order").select("Title").run()
    assert order(app) == ["b", "c", "a"]
    app.text_input(key="runs-find").input("zebra").run()
    assert order(app) == ["a"] and "1 of 3 runs." in shown(app)
    app.text_input(key="runs-find").input("").run()
    app.multiselect(key="runs-state").select("failed").run()
    assert order(app) == ["c"]


def test_the_verdict_is_a_column_and_a_filter(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.failed("c")
    app = open_page(PAGE)
    assert "<dt>Verdict</dt><dd>Mixed</dd>" in shown(app)
    app.multiselect(key="runs-verdict").select("Mixed").run()
    assert order(app) == ["a"]
    app.multiselect(key="runs-verdict").set_value(["none yet"]).run()
    assert order(app) == ["c"]


def test_rename_tag_and_note(build: RunBuilder, open_page: Open) -> None:
    folder = build.finished("a").folder
    app = tick(open_page(PAGE), "a")
    form(app, "title", "a").input("A better name")
    form(app, "tags", "a").input("lora, baseline")
    form(app, "note", "a").input("Keep this one.")
    app = press(app, "Save")
    assert read_labels(folder).value == Labels(title="A better name", tags=("baseline", "lora"), note="Keep this one.")
    text = shown(app)
    assert "Saved: a." in text and "baseline · lora" in text
    assert "A better name" in "".join(c.label for c in app.checkbox)


def test_two_people_rename_at_once(build: RunBuilder, open_page: Open) -> None:
    run = build.finished("a")
    app = tick(open_page(PAGE), "a")
    form(app, "title", "a").input("Mine")
    change_labels(build.store, "a", LabelChange(title="Theirs"))
    app = press(app, "Save")
    assert "Not saved. title: somebody else has changed it meanwhile, to &#x27;Theirs&#x27;." in shown(app)
    assert build.store.open(run.id).record.title == "Theirs"
    assert form(app, "title", "a").value == "Theirs"


def test_a_run_that_is_ticked_again_is_edited_from_what_it_has(build: RunBuilder, open_page: Open) -> None:
    folder = build.finished("a", title="First").folder
    build.finished("b")
    kept = change_labels(build.store, "a", LabelChange(title="Renamed", add_tags=("lora",), note="Keep this one."))
    app = tick(open_page(PAGE), "a")
    app = untick(tick(app, "b"), "b")
    shown_now = {name: form(app, name, "a").value for name in ("title", "tags", "note")}
    assert shown_now == {"title": "Renamed", "tags": "lora", "note": "Keep this one."}
    form(app, "tags", "a").input("lora, baseline")
    press(app, "Save")
    assert read_labels(folder).value == kept.model_copy(update={"tags": ("baseline", "lora")})


def test_archive_and_back(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.finished("b")
    app = press(tick(open_page(PAGE), "a"), "Archive")
    assert order(app) == ["b"] and "1 of them archived" in shown(app)
    assert app.sidebar.selectbox[0].options == ["SmolLM2-135M on MedQuAD · b"]
    app.toggle(key="runs-archived").set_value(True).run()
    app = press(tick(app, "a"), "Unarchive")
    assert set(order(app)) == {"a", "b"} and "archived" not in shown(app).replace("Archived", "")
    assert "Back in the lists: a." in shown(app) and "Archived: a." not in shown(app)


def test_a_browser_that_still_holds_a_tick_does_not_bring_it_back(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    app = tick(open_page(PAGE), "a")
    older = held(app)
    app = press(app, "Archive")
    app.toggle(key="runs-archived").set_value(True)
    app = send(app, older | held(app))
    assert order(app) == ["a"] and "Tick runs to" in shown(app) and "1 run ticked" not in shown(app)


def test_delete_asks_twice_and_the_bin_gives_back(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.finished("b")
    app = tick(open_page(PAGE, run="a"), "a")
    assert "Move 1 run to the bin" not in labels(app)
    app = press(app, "Delete")
    assert "brings them back for 30 days" in shown(app) and " · a · " in shown(app) and " kB" in shown(app)
    app = press(app, "Keep")
    assert set(order(app)) == {"a", "b"} and "Move 1 run to the bin" not in labels(app)
    app = press(press(app, "Delete"), "Move 1 run to the bin")
    assert order(app) == ["b"] and [one.id for one in bin.deleted(build.store)] == ["a"]
    assert "Moved to the bin: a." in shown(app)
    app = press(app, "Restore")
    assert set(order(app)) == {"a", "b"} and "Restored: a." in shown(app)


def test_the_dialog_names_what_goes(build: RunBuilder, open_page: Open) -> None:
    ids = [f"r{n:02}" for n in range(12)]
    for run_id in ids:
        build.failed(run_id)
    app = press(tick(open_page(PAGE), *ids), "Delete")
    said = shown(app)
    assert sum(f" · {run_id} · " in said for run_id in ids) == 10 and "and 2 other runs" in said
    assert "12 runs, " in said and "in all" in said
    app = press(app, "Move 12 runs to the bin")
    assert order(app) == [] and len(bin.deleted(build.store)) == 12


def test_a_run_in_work_is_not_deleted(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    build.running("r")
    app = press(press(tick(open_page(PAGE, run="r"), "r"), "Delete"), "Move 1 run to the bin")
    assert "stop that first, with “Stop and save”" in shown(app) and set(order(app)) == {"a", "r"}
    assert app.sidebar.selectbox[0].value == "r", "what was not deleted stays picked"


def test_a_restored_run_whose_id_is_taken(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    bin.delete(build.store, "a")
    build.finished("a")
    app = press(open_page(PAGE), "Restore")
    assert "Restored as a-2" in shown(app) and set(order(app)) == {"a", "a-2"}


def test_of_two_deleted_runs_of_one_id_the_one_beside_the_button_comes_back(build: RunBuilder, open_page: Open) -> None:
    for title in ("First", "Second"):
        bin.delete(build.store, build.finished("a", title=title).id)
    app = open_page(PAGE)
    assert shown(app).index("Second") < shown(app).index("First"), "the last deleted one first"
    app = [button for button in app.button if button.label == "Restore"][1].click().run()
    assert "Restored: a." in shown(app) and build.store.open("a").record.title == "First"


def test_settings_go_to_the_form(build: RunBuilder, open_page: Open) -> None:
    build.finished("a", config=TrainConfig(seed=7, split_version=1, reading_version=1))
    app = press(tick(open_page(PAGE), "a"), "Reuse settings")
    assert "The form below now has these settings." in shown(app)
    filled = {one.label: one.value for one in [*app.main.number_input, *app.main.selectbox]}
    expected = {"seed": 7, "split_version": SPLIT_VERSION, "reading_version": READING_VERSION}
    assert {name: filled[label_of(name)] for name in expected} == expected


def test_ticked_runs_are_compared(build: RunBuilder, open_page: Open) -> None:
    for run_id in ("a", "b", "c"):
        build.finished(run_id)
    app = press(tick(open_page(PAGE), "a", "c"), "Compare")
    assert app.title[0].value == "What differs between runs?"
    assert {*app.multiselect(key="runs").value, app.query_params["run"][0]} == {"a", "c"}


def test_work_is_queued_and_shown(build: RunBuilder, open_page: Open, started: list[str]) -> None:
    build.finished("a")
    app = press(tick(open_page(PAGE), "a"), "Measure MMLU")
    assert set(started) == {"mmlu a"}
    assert "Measuring MMLU of a" in shown(app) and "waiting for its turn" in shown(app)
    [entry] = all_tasks(Settings.from_environment())
    going = TaskStatus(
        state="running", process=ProcessIdentity.current(), stage="base_mmlu", done=30, total=120, remaining_seconds=90
    )
    write_task_status(entry.folder, going)
    text = shown(app.run())
    assert "base: MMLU" in text and "30 of 120 (25%)" in text and "1 min 30 s left" in text
    assert "Stop" in labels(app)
    write_task_status(entry.folder, TaskStatus(state="failed", error="MMLU is not there: fetch it."))
    text = shown(app.run())
    assert "Measuring MMLU of a: failed." in text and "fetch it" in text and "continues from there" in text
    app = press(app, "Dismiss")
    assert all_tasks(Settings.from_environment()) == []


def test_a_task_that_waits_is_removed(build: RunBuilder, open_page: Open) -> None:
    build.finished("a")
    app = press(tick(open_page(PAGE), "a"), "Measure retrieval")
    app = press(app, "Remove from the queue")
    assert "Taken out of the queue." in shown(app)


def test_a_judge_at_an_address_is_agreed_to(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.finished("a")
    monkeypatch.setenv("MEDQA_JUDGE", "https://judge.example.org/v1")
    app = tick(open_page(PAGE), "a")
    assert "sends questions, references and both models" in shown(app)
    app.button(key="measure judge").click().run()
    [entry] = all_tasks(Settings.from_environment())
    assert entry.task.arguments == {"host": "judge.example.org"}


def test_an_empty_store_can_import(open_page: Open) -> None:
    app = open_page(PAGE)
    assert "No runs yet" in shown(app) and "Path on this machine" in [one.label for one in app.text_input]


def test_a_visitor_of_a_demo_looks_and_compares(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.finished("a")
    build.finished("b")
    change_labels(build.store, "a", LabelChange(add_tags=("secret",), note="mine"))
    bin.delete(build.store, build.finished("c").id)
    settings = Settings.from_environment()
    entry = submit_task("mmlu", "a", settings).entry
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    app = tick(open_page(PAGE), "a")
    text = shown(app)
    assert [b.label for b in app.button] == ["Open", "Compare"]
    assert not app.text_area and "secret" not in text and "Measuring" not in text and "Bin" not in text
    assert [i.key for i in app.text_input] == ["runs-find", "run"], "run: the picker's field, which nobody sees"
    found = read_entry(entry.folder)
    assert found is not None and found.state == "queued", "a visitor starts nothing"


@pytest.mark.parametrize("page", ["metrics/metrics.py", "answers/answers.py", "fine_tune/fine_tune.py"])
@pytest.mark.parametrize("public", [False, True])
def test_pages_offer_the_work_and_no_command(
    page: str, public: bool, build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = build.run("bare")
    build.status(run)
    if public:
        monkeypatch.setenv("MEDQA_PUBLIC", "1")
    app = open_page(page, run="bare")
    offered = "Evaluate" in [b.label for b in app.button]
    if not page.startswith("fine_tune"):  # which shows only runs that were in its queue
        assert offered is not public
    assert "medqa evaluate" not in "".join(code.value for code in app.code)
    assert not (public and offered)
