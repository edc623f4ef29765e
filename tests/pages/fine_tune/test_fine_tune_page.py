"""The Fine-tune page: the form before, the live part during, the look back after."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.errors import RunError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import estimate, launch
from medqa_core.jobs.device import hold
from medqa_core.jobs.queue import Entry, submit
from medqa_core.jobs.task import all_tasks
from medqa_core.runs.artifacts.job import Job, read_job, write_job
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.estimate import ComputedMemory, Estimate, Range
from medqa_core.runs.schema.presets import DEFAULT, command_line, from_preset
from medqa_core.runs.schema.status import now
from pages.fine_tune import fields
from pages.fine_tune.fields import MAIN, THEMES
from pages.fine_tune.own_data import Source
from tests.support.pages import Open, elements, held, send
from tests.support.runs import RunBuilder

ESTIMATE = Estimate(
    device="cpu", steps=12, tokens=9000, truncated_share=0.25, measured_steps=3, tokens_per_second=300.0,
    train_seconds=Range(low=60, middle=90, high=120), memory=2**30, memory_total=2**34,
    computed=ComputedMemory(weights=2**28, gradients=2**28, moments=2**29, activations=2**27, process=2**27),
)  # fmt: skip


@pytest.fixture(autouse=True)
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs for which a worker would have been started."""
    found: list[str] = []
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MEDQA_PUBLIC", raising=False)

    def start(entry: Entry, settings: Settings) -> None:
        found.append(entry.run.id)

    monkeypatch.setattr(launch, "_start", start)
    return found


def shown(app: AppTest) -> str:
    assert not app.exception, [e.message for e in app.exception]
    html = [element.value for element in elements(app, "html") if not element.value.startswith("<style>")]
    return "\n".join([*html, *(e.value for e in app.markdown)])


def button(app: AppTest, label: str) -> "object":
    return next((b for b in app.button if b.label == label), None)


def press(app: AppTest, label: str) -> AppTest:
    found = next(b for b in app.button if b.label == label)
    assert not found.disabled
    return found.click().run()


def field(app: AppTest, name: str) -> "object":
    widgets = [*app.main.text_input, *app.main.number_input, *app.main.selectbox]
    label = "Start from" if name == "preset" else fields.label_of(name)
    return next(w for w in widgets if w.label == label)


def pick(app: AppTest, preset: str) -> AppTest:
    return field(app, "preset").select(preset).run()  # type: ignore[attr-defined,no-any-return]


def test_every_field_is_in_the_form_once_and_explained(open_page: Open) -> None:
    names = [n for row in MAIN for n in row] + [n for theme in THEMES.values() for n in theme]
    assert sorted(names) == sorted(set(TrainConfig.model_fields) - {"preset"})
    app = open_page("fine_tune/fine_tune.py")
    assert "Nothing is running." in shown(app)
    for name in names:
        assert field(app, name).help  # type: ignore[attr-defined]


@pytest.mark.parametrize("preset", ["smoke", "starter", "medquad-cpu", "run-2", "custom"])
def test_a_preset_is_the_form_and_the_command(preset: str, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), preset)
    shown(app)
    assert app.code[-1].value == command_line(from_preset(preset))
    assert f"--preset {preset}" in app.code[-1].value


def test_ranges_come_from_the_configuration(open_page: Open) -> None:
    batch = field(open_page("fine_tune/fine_tune.py"), "batch_size")
    assert (batch.min, batch.max) == (1, 1024)  # type: ignore[attr-defined]


def test_what_the_form_comes_to(open_page: Open) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    field(app, "gradient_accumulation_steps").set_value(2).run()  # type: ignore[attr-defined]
    text = shown(app)
    assert "8 × 2" in text and ">16</dd>" in text and ">6</dd>" in text  # 3 steps a pass, 2 passes
    assert "48 training, 12 validation and 12 test examples" in text
    assert app.code[-1].value == "medqa train --preset smoke --set gradient_accumulation_steps=2"


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("learning_rate", "fast", "a valid number"),
        ("learning_rate", "2", "less than or equal to 1"),
        ("train_size", "-5", "give a number of pairs such as 3500"),
        ("train_size", "9999", "you asked for 9,999"),
        ("epochs", "", "a valid number"),
        ("title", "", "at least 1 character"),
        ("patience", "0", "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_starts(
    name: str, typed: str, said: str, open_page: Open, started: list[str]
) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    field(app, name).set_value(typed).run()  # type: ignore[attr-defined]
    text = shown(app)
    assert said in text
    assert f"To correct before it can start: {fields.label_of(name)}." in text
    assert button(app, "Start fine-tune").disabled  # type: ignore[attr-defined]
    assert started == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"learning_rate": "fast", "quantization": "4bit", "method": "full"}, ["a valid number", "use method lora"]),
        ({"learning_rate": "fast", "train_size": "9999"}, ["a valid number", "you asked for 9,999"]),
        ({"quantization": "4bit", "method": "full", "train_size": "9999"}, ["use method lora", "asked for 9,999"]),
    ],
)
def test_mistakes_across_fields_and_with_the_data_are_said_beside_the_others(
    typed: dict[str, str], said: list[str], open_page: Open
) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    for name, value in typed.items():
        field(app, name).set_value(value)  # type: ignore[attr-defined]
    text = shown(app.run())
    assert all(text.count(one) == 1 for one in said), text
    wrong = [fields.label_of(name) for name in typed if name != "method"]
    assert all(label in text.partition("To correct before it can start: ")[2].partition(".")[0] for label in wrong)
    assert button(app, "Start fine-tune").disabled  # type: ignore[attr-defined]


def test_what_the_data_say_of_a_size_waits_for_the_sizes_that_it_hangs_on(open_page: Open) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    field(app, "train_size").set_value("-5")  # type: ignore[attr-defined]
    field(app, "test_size").set_value("9999")  # type: ignore[attr-defined]
    text = shown(app.run())
    assert "give a number of pairs" in text and "9,999" not in text


def test_data_that_are_not_there_are_named_beside_a_size_that_is_wrong(build: RunBuilder) -> None:
    problems = {"train_size": "Wrong."}
    config = from_preset("smoke", {"dataset": "nowhere.csv"})
    assert fields._with_the_data(config, problems, Settings.from_environment()) is None
    assert "does not exist" in problems["dataset"] and problems["train_size"] == "Wrong."


def test_none_is_typed_as_on_the_command_line(open_page: Open) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    field(app, "train_size").set_value("none").run()  # type: ignore[attr-defined]
    assert app.code[-1].value.endswith("--set train_size=none")
    field(app, "train_size").set_value("0.5").run()  # type: ignore[attr-defined]
    assert app.code[-1].value.endswith("--set train_size=0.5")


def type_before_all_is_drawn(app: AppTest, older: dict[str, WidgetState], drawn: Sequence[str]) -> AppTest:
    """Three epochs are typed when the browser has drawn only some fields of the form as it now is: all is sent."""
    inputs = [field(app, name) for name in drawn]
    if "epochs" in drawn:
        field(app, "epochs").set_value("3")  # type: ignore[attr-defined]
    newer = held(app)
    sent = older | {one.id: newer[one.id] for one in inputs}  # type: ignore[attr-defined]
    return send(app, sent)


@pytest.mark.parametrize(
    ("drawn", "typed"), [(["preset", *(name for row in MAIN for name in row)], {"epochs": 3}), (["preset"], {})]
)
def test_what_a_browser_holds_of_an_older_preset_does_not_come_along_with_what_is_typed(
    drawn: list[str], typed: dict[str, int], open_page: Open
) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "medquad-cpu")
    field(app, "epochs").set_value("2").run()  # type: ignore[attr-defined]
    older = held(app)
    app = type_before_all_is_drawn(pick(app, "smoke"), older, drawn)
    shown(app)
    assert app.code[-1].value == command_line(from_preset("smoke", typed))


def test_a_browser_that_has_not_drawn_reused_settings_yet_does_not_put_its_preset_back(
    build: RunBuilder, open_page: Open
) -> None:
    config = build.failed().record.config
    assert config is not None and config.preset != DEFAULT
    app = open_page("fine_tune/fine_tune.py", run="failed")
    older = held(app)
    app = type_before_all_is_drawn(press(app, "Reuse these settings"), older, [])
    shown(app)
    assert app.code[-1].value == command_line(config)


def test_the_form_is_kept_from_page_to_page(open_page: Open) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    field(app, "seed").set_value(7).run()  # type: ignore[attr-defined]
    app = app.switch_page("runs/runs.py").run().switch_page("fine_tune/fine_tune.py").run()
    assert field(app, "seed").value == 7  # type: ignore[attr-defined]
    assert app.code[-1].value == command_line(from_preset("smoke", {"seed": 7}))


def test_start_makes_a_run_and_keeps_the_form(build: RunBuilder, open_page: Open, started: list[str]) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    field(app, "seed").set_value(7).run()  # type: ignore[attr-defined]
    press(app, "Start fine-tune")
    assert started[0] == "smoke"
    run = build.store.open("smoke")
    assert (run.state(), run.record.config) == ("queued", from_preset("smoke", {"seed": 7}))
    assert field(app, "seed").value == 7  # type: ignore[attr-defined]
    assert "1 run waits in the queue" in shown(app)
    press(app, "Start fine-tune")
    assert len(build.store.list()) == 1
    assert "smoke already has this configuration and is queued: no second run was started." in shown(app)


def test_a_run_that_is_queued_and_cannot_be_started_is_said_to_wait(
    build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_process(settings: Settings) -> list[str]:
        raise RunError("No worker can be started for smoke: Cannot allocate memory.")

    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    monkeypatch.setattr(launch, "advance", no_process)
    press(app, "Start fine-tune")
    assert build.store.open("smoke").state() == "queued"
    text = shown(app)
    assert "It waits in the queue, which cannot go on: No worker can be started for smoke" in text
    assert "Not started." not in text


def test_two_tabs_make_one_run(build: RunBuilder, open_page: Open) -> None:
    tabs = [pick(open_page("fine_tune/fine_tune.py"), "smoke") for _ in range(2)]
    for tab in tabs:
        press(tab, "Start fine-tune")
    assert [entry.id for entry in build.store.list()] == ["smoke"]


def test_without_evaluation(build: RunBuilder, open_page: Open) -> None:
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    app.checkbox[0].uncheck().run()
    press(app, "Start fine-tune")
    job = read_job(build.store.open("smoke").folder).value
    assert job is not None and not job.evaluate


def test_the_estimate_is_kept_for_the_run(build: RunBuilder, open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [sys.executable, "-c", f"print({ESTIMATE.model_dump_json()!r})"]
    monkeypatch.setattr(estimate, "command", lambda _: answer)
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    press(app, "Estimate time and memory")
    app.session_state["fine-tune estimate"].wait(20)
    text = shown(app.run())
    assert "1 min 30 s" in text and "1 min to 2 min" in text and "25.0% of the training examples are longer" in text
    field(app, "seed").set_value(7).run()  # type: ignore[attr-defined]
    assert "not estimated" in shown(app)
    field(app, "seed").set_value(42).run()  # type: ignore[attr-defined]
    press(app, "Start fine-tune")
    job = read_job(build.store.open("smoke").folder).value
    assert job is not None and job.estimate == ESTIMATE


def test_a_failed_estimate_says_why(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "command", lambda _: [sys.executable, "-c", "import sys; sys.exit('error: <b>No.')"])
    app = press(pick(open_page("fine_tune/fine_tune.py"), "smoke"), "Estimate time and memory")
    app.session_state["fine-tune estimate"].wait(20)
    text = shown(app.run())
    assert "could not be estimated" in text and "&lt;b&gt;No." in text


def test_no_estimate_while_the_device_is_busy(open_page: Open) -> None:
    with hold(Settings.from_environment(), "theirs"):
        app = open_page("fine_tune/fine_tune.py")
        assert button(app, "Estimate time and memory").disabled  # type: ignore[attr-defined]
        assert "No fine-tune is running; the device is busy fine-tuning theirs." in shown(app)
        assert "fine-tuning theirs; wait" in button(app, "Estimate time and memory").help  # type: ignore[attr-defined]
    with hold(Settings.from_environment(), "theirs", doing="mmlu"):
        assert "the device is busy measuring MMLU of theirs." in shown(open_page("fine_tune/fine_tune.py"))


def test_a_live_run_shows_its_own_settings(build: RunBuilder, open_page: Open) -> None:
    build.running()
    app = pick(open_page("fine_tune/fine_tune.py"), "smoke")
    text = shown(app)
    assert "Still going: step 12 of 60, 20%" in text
    assert "<span>8</span></td>" in text and "As saved in running/run.json" in text
    assert button(app, "Stop and save") is not None
    assert [chart.proto.id for chart in app.get("plotly_chart") if "curve running" in chart.proto.id]


def test_stopping_offers_a_forced_stop(build: RunBuilder, open_page: Open) -> None:
    build.running(state="stopping")
    app = open_page("fine_tune/fine_tune.py")
    assert button(app, "Stop and save").disabled and button(app, "Force stop")  # type: ignore[attr-defined]


def test_a_silent_worker_is_stalled_and_can_be_ended(build: RunBuilder, open_page: Open) -> None:
    folder = build.running().folder
    status = json.loads((folder / "status.json").read_text())
    write_json(folder / "status.json", {**status, "next_heartbeat": status["heartbeat"]})
    app = open_page("fine_tune/fine_tune.py")
    text = shown(app)
    assert "Still going is stalled at step 12." in text
    assert "No update since" in text and "the process is there" in text
    assert not button(app, "Stop and save").disabled and button(app, "Force stop")  # type: ignore[attr-defined]


def test_the_queue_with_positions_and_a_way_out(build: RunBuilder, open_page: Open) -> None:
    build.running()
    settings = Settings.from_environment()
    for seed in (1, 2):
        submit(from_preset("smoke", {"seed": seed}), settings, run_id=f"w{seed}")
    app = open_page("fine_tune/fine_tune.py")
    text = shown(app)
    assert "2 runs wait behind it." in text
    assert text.index("1\\. **w1**") < text.index("2\\. **w2**")
    press(app, "Remove")
    assert build.store.open("w1").state() == "stopped"
    assert "1 run waits behind it." in shown(app)


@pytest.mark.parametrize(("kind", "title"), [("failed", "This run failed."), ("lost", "This run was interrupted.")])
def test_after_a_bad_end_why_and_resume(
    kind: str, title: str, build: RunBuilder, open_page: Open, started: list[str]
) -> None:
    getattr(build, kind)()
    app = open_page("fine_tune/fine_tune.py", run=kind)
    assert title in shown(app)
    press(app, "Resume")
    assert build.store.open(kind).state() == "queued"
    assert kind in started


def test_suggested_settings_after_a_failure(build: RunBuilder, open_page: Open) -> None:
    build.failed(error="The training loss was nan at step 7.", cause="nan")
    app = open_page("fine_tune/fine_tune.py", run="failed")
    assert button(app, "Resume") is None
    press(app, "Use suggested settings")
    assert field(app, "learning_rate").value == "0.00033"  # type: ignore[attr-defined]
    assert "The form below now has these settings." in shown(app)
    press(app, "Reuse these settings")
    assert field(app, "learning_rate").value == "0.001"  # type: ignore[attr-defined]


def test_estimated_against_actual(build: RunBuilder, open_page: Open) -> None:
    folder = build.finished().folder
    assert "Completed" not in shown(open_page("fine_tune/fine_tune.py", run="finished"))  # it was never in a queue
    write_job(folder, Job(submitted_at=now(), evaluate=True, estimate=ESTIMATE))
    text = shown(open_page("fine_tune/fine_tune.py", run="finished"))
    assert "Completed in 1 h 22 min; the estimate was 1 min to 2 min." in text
    assert "<span>300 tokens/s</span></td>" in text


def test_a_demo_shows_and_starts_nothing(
    build: RunBuilder, open_page: Open, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build.running()
    submit(from_preset("smoke"), Settings.from_environment())
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    app = open_page("fine_tune/fine_tune.py", run="running")
    text = shown(app)
    assert "This is a read-only demo." in text and "Still going: step 12 of 60" in text
    assert [b.label for b in app.button] == [] and list(app.main.text_input) == []
    assert started == []


def test_data_of_ones_own_fill_the_form(open_page: Open, tmp_path: Path, started: list[str]) -> None:
    path = tmp_path / "my.csv"
    path.write_text("Q,A,B\n" + "".join(f"What is <b>{n}</b>?,It is {n}.,x\n" for n in range(60)) + "Why?,N/A,x\n")
    app = open_page("fine_tune/fine_tune.py")
    app.text_input(key="own name").set_value(str(path)).run()
    said = shown(app)
    assert "The first 10 of 60 usable pairs" in said and "What is 7?" in said
    assert "1 left out without an answer" in said and "60 cells with HTML made plain text" in said
    assert {"Question from", "Answer from", "Topic from"} < {s.label for s in app.selectbox}
    next(s for s in app.selectbox if s.label == "Answer from").select("B").run()
    assert "answer = B" in shown(app)
    next(s for s in app.selectbox if s.label == "Answer from").select(None).run()
    app = press(app, "Use these data")
    assert field(app, "title").value == "Fine-tune on my.csv"  # type: ignore[attr-defined]
    assert "The form below now has these data." in shown(app)
    assert field(app, "dataset").value == str(path)  # type: ignore[attr-defined]
    assert field(app, "train_size").value == "none"  # type: ignore[attr-defined]
    press(app, "Start fine-tune")
    assert set(started) == {"starter"}


def test_nested_columns_and_a_test_file_are_chosen_here(open_page: Open, tmp_path: Path) -> None:
    rows = [{"talk": [{"said": f"What is {n}?"}, {"said": f"It is {n}."}]} for n in range(40)]
    train, test = tmp_path / "talks.jsonl", tmp_path / "test.jsonl"
    train.write_text("\n".join(map(json.dumps, rows[:30])))
    test.write_text("\n".join(map(json.dumps, rows[30:])))
    app = open_page("fine_tune/fine_tune.py")
    app.text_input(key="own name").set_value(str(train)).run()
    for ours, path in (("Question from", "talk.0.said"), ("Answer from", "talk.1.said")):
        next(s for s in app.selectbox if s.label == ours).select(path).run()
    assert "The first 10 of 30 usable pairs" in shown(app)
    app.text_input(key="own test name").set_value("gone.jsonl").run()
    assert "test_dataset: &#x27;gone.jsonl&#x27; does not exist" in shown(app)
    app.text_input(key="own test name").set_value(str(test)).run()
    assert "and 10 test pairs." in shown(app)
    app = press(app, "Use these data")
    assert field(app, "test_dataset").value == str(test)  # type: ignore[attr-defined]
    assert field(app, "columns").value == "question=talk.0.said,answer=talk.1.said"  # type: ignore[attr-defined]
    app.text_input(key="own test name").set_value("").run()
    assert field(press(app, "Use these data"), "test_dataset").value == "none"  # type: ignore[attr-defined]


def test_tiny_data_of_ones_own_come_with_a_proposal(open_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("question,answer,topic\n" + "".join(f"What is {n}?,It is {n}.,one\n" for n in range(5)))
    app = open_page("fine_tune/fine_tune.py")
    app.text_input(key="own name").set_value(str(path)).run()
    assert "too small to split without leakage" in shown(app)
    app = press(app, "Use these data with the proposed split")
    assert field(app, "split_method").value == "random"  # type: ignore[attr-defined]
    assert field(app, "validation_size").value == "1"  # type: ignore[attr-defined]
    app.text_input(key="own name").set_value("/no/such.csv").run()
    assert "does not exist" in shown(app)


def test_a_public_demo_takes_no_data(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_PUBLIC", "1")
    app = open_page("fine_tune/fine_tune.py")
    assert not [t for t in app.text_input if t.label.startswith("Or a path")]
    assert not elements(app, "file_uploader")


def test_data_of_the_form_that_are_not_at_hand_can_be_fetched(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(launch, "_start_task", lambda entry, settings: None)
    app = open_page("fine_tune/fine_tune.py")
    assert "not in the cache" not in shown(app)
    field(app, "dataset").set_value("medquad").run()  # type: ignore[attr-defined]
    assert "medquad is not in the cache: a fine-tune fetches it first." in shown(app)
    app = press(app, "Fetch medquad")
    [entry] = all_tasks(Settings.from_environment())
    assert entry.task.doing == "fetching medquad" and "Fetching medquad" in shown(app)
    app.text_input(key="own name").input("medquad").run()
    assert shown(app).count("Fetching medquad") == 1 and "medquad is a data set of the hub that is not in" in shown(app)


def test_a_sent_file_is_called_what_people_call_it() -> None:
    sent = Source("/cache/uploads/0123abcd.csv", "marks.csv")
    named = Source("/data/marks.csv", "/data/marks.csv")
    assert sent.in_words("0123abcd.csv has no column “question”.") == "marks.csv has no column “question”."
    assert named.in_words("marks.csv is empty.") == "marks.csv is empty."
