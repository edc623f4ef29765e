"""Whoever asks, and however: the same checks in the same order, and the models free afterwards."""

import os
import shutil
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medqa_core.answering import service as module
from medqa_core.answering.admission import QUESTIONS, WAITING, Limits
from medqa_core.answering.compare import Answer, Answers, Column
from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.answering.service import AnswerService
from medqa_core.answering.sources import Sources
from medqa_core.data.lookup import split_of
from medqa_core.foundation.errors import InputError, ModelUnavailable, NotNow, RunNotFound
from medqa_core.foundation.files import read_json, sha256_text, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import prompt_text, with_passages
from medqa_core.models.variants import VARIANTS
from medqa_core.runs.run import Run
from tests.support.answers import sources

pytestmark = pytest.mark.usefixtures("no_network")
TEXT = "What are the symptoms of gout?"
QUESTION = Question.checked(TEXT)
SHORT = GenerationSettings(max_new_tokens=4)


@pytest.fixture(scope="module")
def service(smoke: Run, lab: Settings) -> AnswerService:
    return AnswerService.of(lab)


@pytest.fixture
def public(smoke: Run, lab: Settings) -> AnswerService:
    """A service for strangers, none of whom has asked anything yet."""
    return AnswerService.of(replace(lab, public=True))


@pytest.fixture
def unloaded(service: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any model that is loaded fails the test."""
    from medqa_core.answering.model_cache import ModelCache

    monkeypatch.setattr(ModelCache, "lend", lambda *_, **__: pytest.fail("a model was loaded"))


def final(service: AnswerService, run: str = "smoke", **options: Any) -> dict[Column, Answer]:
    options.setdefault("settings", SHORT)
    return list(service.answers(QUESTION, run, **options))[-1].by_column


def reads(monkeypatch: pytest.MonkeyPatch, *texts: str) -> list[str]:
    """These passages are found from now on, and the base reads them; gives the ids of the runs looked up."""
    asked: list[str] = []

    def found(question: Question, run: Run, settings: Settings, before: str = "") -> Sources:
        assert (question, before) == (QUESTION, "")
        asked.append(run.id)
        return sources(*texts)

    monkeypatch.setattr(module, "find_sources", found)
    return asked


def test_both_answer(service: AnswerService) -> None:
    answers = final(service)
    assert [(variant, answers[variant].finish_reason, answers[variant].tokens) for variant in answers] == [
        ("base", "length", 4), ("fine_tuned", "length", 4),
    ]  # fmt: skip
    assert {answer.provenance.run_id for answer in answers.values()} == {"smoke"}


def test_a_visitor_who_has_asked_enough_waits_and_others_do_not(public: AnswerService) -> None:
    for _ in range(QUESTIONS):
        final(public, visitor="a", settings=GenerationSettings(max_new_tokens=1))
    with pytest.raises(NotNow):
        final(public, visitor="a")
    with pytest.raises(NotNow), public.models("smoke", "a"):
        pass
    final(public, visitor="b")


def test_a_self_test_counts_as_a_question(public: AnswerService) -> None:
    for _ in range(QUESTIONS):
        with public.models("smoke", "a") as models:
            assert models.variants.run_id == "smoke"
    with pytest.raises(NotNow):
        final(public, visitor="a")


def test_a_question_that_the_full_queue_refuses_is_not_counted(public: AnswerService) -> None:
    with ExitStack() as inside:
        for _ in range(WAITING + 1):
            inside.enter_context(public._admission.place())
        for _ in range(QUESTIONS):
            with pytest.raises(NotNow, match="The queue is full"), public.models("smoke", "a"):
                pass
    with public.models("smoke", "a") as models:
        assert models.variants.run_id == "smoke"


@pytest.mark.usefixtures("unloaded")
def test_who_must_wait_loads_nothing(public: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(visitor: str) -> None:
        raise NotNow(f"{visitor} waits")

    monkeypatch.setattr(public._admission, "admit", refuse)
    monkeypatch.setattr(public, "open_library", lambda _: pytest.fail("a library was opened"))
    for with_sources in (False, True):
        with pytest.raises(NotNow, match="a waits"):
            final(public, visitor="a", with_sources=with_sources)
    with pytest.raises(NotNow, match="a waits"), public.models("smoke", "a"):
        pass


def test_prepared_it_has_read_what_a_first_question_needs(
    lab: Settings, smoke: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = AnswerService.of(lab)
    asked: list[str] = []
    all_read = threading.Event()

    def noted(run: Run, _: Settings) -> None:
        asked.append(run.id)
        all_read.set()

    monkeypatch.setattr(module, "training_set", noted)
    made.prepare("smoke")
    assert all_read.wait(30) and asked == ["smoke"]
    made.prepare("no-such-run")  # nobody is told before somebody asks


def test_no_run_to_ask(lab: Settings, tmp_path: Path) -> None:
    service = AnswerService.of(replace(lab, reports=tmp_path))
    assert service.choose_run() == service.choose_run("smoke") == ""
    with pytest.raises(ModelUnavailable, match=r"^No run here has a model to ask\. Start one: medqa train"):
        final(service, run="")


def test_the_newest_run_that_can_answer_is_asked_by_default(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    for name, created in (
        ("old", "2020-01-01T00:00:00Z"),
        ("new", "2030-01-01T00:00:00Z"),
        ("mute", "2031-01-01T00:00:00Z"),
    ):
        shutil.copytree(smoke.folder, tmp_path / name)
        write_json(
            tmp_path / name / "run.json", read_json(tmp_path / name / "run.json") | {"id": name, "created_at": created}
        )
    shutil.rmtree(tmp_path / "mute" / "adapter")
    service = AnswerService.of(replace(lab, reports=tmp_path))
    assert [service.choose_run(wanted) for wanted in ("", "old", "mute", "none")] == ["new", "old", "new", "new"]
    assert final(service, run="")["base"].provenance.run_id == "new"
    assert final(service, run="old")["base"].provenance.run_id == "old"
    with pytest.raises(ModelUnavailable, match="mute holds no model"):
        final(service, run="mute")


@pytest.mark.parametrize(("run", "error"), [("none", RunNotFound), ("../smoke", InputError), ("a/b", InputError)])
def test_an_unknown_run(service: AnswerService, run: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        final(service, run=run)
    assert final(service)["base"].tokens == 4


def test_strangers_get_shorter_answers(public: AnswerService, service: AnswerService) -> None:
    wish = GenerationSettings(max_new_tokens=200)
    cut = final(public, settings=wish)
    assert {(answer.tokens, answer.finish_reason) for answer in cut.values()} == {(192, "length")}
    whole = final(service, settings=wish)
    assert {answer.tokens for answer in whole.values()} == {200}
    assert cut["base"].provenance.max_new_tokens == 200  # what was asked for; the finish reason says that it was cut


def test_the_limit_of_seconds_stops_all(public: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    assert public.limits.seconds == 60
    monkeypatch.setattr(public, "limits", Limits(seconds=-1))
    assert {answer.finish_reason for answer in final(public).values()} == {"cancelled"}


def test_the_reader_can_stop(service: AnswerService) -> None:
    assert {answer.finish_reason for answer in final(service, cancelled=lambda: True).values()} == {"cancelled"}


def test_closing_frees_the_models_for_the_next_one(service: AnswerService) -> None:
    first = service.answers(QUESTION, "smoke", GenerationSettings(max_new_tokens=500))
    next(first)
    found: list[dict[Column, Answer]] = []
    second = threading.Thread(target=lambda: found.append(final(service)))
    second.start()
    second.join(0.3)
    assert second.is_alive() and not found  # waits its turn
    first.close()
    second.join(20)
    assert found[0]["base"].tokens == 4


def test_an_error_in_between_frees_the_models_too(service: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(module, "find_sources", lambda *_: 1 / 0)
        final(service, with_sources=True)
    with pytest.raises(ZeroDivisionError):
        for _ in service.answers(QUESTION, "smoke", SHORT, cancelled=lambda: bool(1 / 0)):
            pass
    assert final(service)["base"].tokens == 4


def test_passages_are_looked_up_for_the_run_and_change_the_third_column_alone(
    service: AnswerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = final(service)
    asked = reads(monkeypatch, "Gout swells a joint.")
    assert "with_sources" not in final(service) and asked == []
    one = final(service, with_sources=True)
    assert asked == ["smoke"]
    asked = reads(monkeypatch, "Gout swells a joint.", "It often begins at night.")
    other = final(service, run="", with_sources=True)
    assert asked == ["smoke"]
    hashes = [answers["with_sources"].provenance.prompt_sha256 for answers in (one, other)]
    assert len({*hashes, plain["base"].provenance.prompt_sha256}) == 3
    with service.models("smoke") as models:
        text = with_passages(TEXT, ["Gout swells a joint."])
        assert hashes[0] == sha256_text(prompt_text(models.variants.tokenizer, text, "chat"))
    for variant in VARIANTS:
        assert one[variant].provenance == plain[variant].provenance
        assert one[variant].text == plain[variant].text


def test_where_nobody_says_whether_the_run_decides(
    service: AnswerService, smoke: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = reads(monkeypatch, "Gout swells a joint.")
    assert tuple(final(service, with_sources=None)) == VARIANTS and asked == []
    for name in ("closed", "open"):
        shutil.copytree(smoke.folder, tmp_path / name)
        said = read_json(tmp_path / name / "run.json") | {"id": name}
        said["config"]["task"] = f"{name}_book"
        write_json(tmp_path / name / "run.json", said)
    both = AnswerService.of(replace(service.settings, reports=tmp_path))
    assert [both.reads(name) for name in ("closed", "open", "gone")] == [False, True, False]
    final(both, run="open", with_sources=None)
    final(both, run="closed", with_sources=None)
    final(both, run="open", with_sources=False)
    assert asked == ["open"]


def test_the_library_is_opened_beside_the_models(service: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = threading.Event()

    def fail(*_: object) -> None:
        opened.set()
        raise InputError("there is no folder.")

    monkeypatch.setattr(module, "library_for", fail)
    service.open_library("smoke")
    assert opened.wait(20)  # what is wrong with it is told to who asks


def test_what_of_an_answer_stands_in_the_training_set(service: AnswerService, smoke: Run, lab: Settings) -> None:
    train = split_of(smoke.record, lab)[1].train[0]
    answers = list(service.answers(QUESTION, "smoke", SHORT))[-1]
    copied = replace(answers.by_column["base"], text=train.answer)
    found = service.overlaps("smoke", Answers({**answers.by_column, "base": copied}))
    assert list(found) == list(VARIANTS)
    assert [(span.text, span.kind) for span in found["base"].spans] == [(train.answer, "copied")]
    assert found["base"].nearest_question == train.question
    assert found["fine_tuned"].nearest_question is None
    assert service.overlaps("none", answers) == {}


def test_int8_when_asked_for(service: AnswerService) -> None:
    answers = final(service, settings=SHORT.model_copy(update={"precision": "int8"}))
    assert {answer.provenance.precision for answer in answers.values()} == {"int8"}
    assert all(answer.provenance.engine.endswith(", int8") for answer in answers.values())
    assert final(service)["base"].provenance.engine.endswith(", float32")


def test_who_waits_is_told_for_what(lab: Settings, smoke: Run, tmp_path: Path) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    service, said = AnswerService.of(replace(lab, reports=tmp_path)), list[str]()
    final(service, progress=said.append)
    assert said == ["loading the adapter"]
    os.utime(tmp_path / "smoke" / "adapter" / "adapter_model.safetensors", ns=(1, 1))
    final(service, progress=said.append)
    assert said == 2 * ["loading the adapter"]
