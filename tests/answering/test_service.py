"""Whoever asks, and however: the same checks in the same order, and the models free afterwards."""

import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medqa_core.answering.admission import QUESTIONS, Limits
from medqa_core.answering.compare import Grounding
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.service import Answers, AnswerService
from medqa_core.foundation.errors import (
    EmergencyDescribed,
    InputError,
    ModelUnavailable,
    NotNow,
    QuestionRefused,
    RunNotFound,
)
from medqa_core.foundation.files import read_json, sha256_text, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import prompt_text, with_passages
from medqa_core.models.variants import VARIANTS
from medqa_core.runs.run import Run
from tests.support.answers import passages

pytestmark = pytest.mark.usefixtures("no_network")
QUESTION = "What are the symptoms of gout?"
EMERGENCY = "I took 40 paracetamol tablets"
SHORT = GenerationSettings(max_new_tokens=4)


@pytest.fixture(scope="module")
def service(smoke: Run, lab: Settings) -> AnswerService:
    return AnswerService(lab)


@pytest.fixture
def public(smoke: Run, lab: Settings) -> AnswerService:
    """A service for strangers, none of whom has asked anything yet."""
    return AnswerService(replace(lab, public=True))


@pytest.fixture
def unloaded(service: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any model that is loaded fails the test."""
    from medqa_core.answering.model_cache import ModelCache

    monkeypatch.setattr(ModelCache, "lend", lambda *_, **__: pytest.fail("a model was loaded"))


def final(service: AnswerService, question: Any = QUESTION, run: str = "smoke", **options: Any) -> Answers:
    options.setdefault("settings", SHORT)
    return list(service.answers(question, run, **options))[-1]


def test_both_answer(service: AnswerService) -> None:
    answers = final(service, f"  {QUESTION}\n")
    assert [(variant, answers[variant].state, answers[variant].tokens) for variant in answers] == [
        ("base", "cut", 4), ("fine_tuned", "cut", 4),
    ]  # fmt: skip
    assert {answer.provenance.run_id for answer in answers.values()} == {"smoke"}


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize(
    ("question", "error"), [("", QuestionRefused), (5, QuestionRefused), (EMERGENCY, EmergencyDescribed)]
)
def test_what_is_not_asked_loads_nothing_and_does_not_count(
    public: AnswerService, question: Any, error: type[Exception]
) -> None:
    for _ in range(2 * QUESTIONS):
        with pytest.raises(error):
            final(public, question, "no-such-run", visitor="a")
    assert public._admission._asked == {}


def test_a_bad_question_is_refused_before_a_visitor_has_to_wait(public: AnswerService) -> None:
    for _ in range(QUESTIONS):
        final(public, visitor="a", settings=GenerationSettings(max_new_tokens=1))
    with pytest.raises(QuestionRefused):
        final(public, "", visitor="a")
    with pytest.raises(EmergencyDescribed):
        final(public, EMERGENCY, visitor="a")
    with pytest.raises(NotNow):
        final(public, visitor="a")
    with pytest.raises(NotNow), public.models("smoke", "a"):
        pass
    final(public, visitor="b")


def test_a_self_test_counts_as_a_question(public: AnswerService) -> None:
    for _ in range(QUESTIONS):
        with public.models("smoke", "a") as models:
            assert models.pair.run_id == "smoke"
    with pytest.raises(NotNow):
        final(public, visitor="a")


@pytest.mark.usefixtures("unloaded")
def test_who_must_wait_loads_nothing(public: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(visitor: str) -> None:
        raise NotNow(f"{visitor} waits")

    monkeypatch.setattr(public._admission, "admit", refuse)
    with pytest.raises(NotNow, match="a waits"):
        final(public, visitor="a")
    with pytest.raises(NotNow, match="a waits"), public.models("smoke", "a"):
        pass


def test_no_run_to_ask(lab: Settings, tmp_path: Path) -> None:
    service = AnswerService(replace(lab, reports=tmp_path))
    assert service.run() == service.run("smoke") == ""
    with pytest.raises(
        ModelUnavailable, match=r"^No run here has a model to ask\. Start one: python -m medqa_core train"
    ):
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
    service = AnswerService(replace(lab, reports=tmp_path))
    assert (service.run(), service.run("old"), service.run("mute"), service.run("none")) == ("new", "old", "new", "new")
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
    assert {(answer.tokens, answer.state) for answer in cut.values()} == {(192, "cut")}
    whole = final(service, settings=wish)
    assert {answer.tokens for answer in whole.values()} == {200}
    assert cut["base"].provenance.max_new_tokens == 200  # what was asked for; `state` says that it was cut


def test_the_limit_of_seconds_stops_all(public: AnswerService, monkeypatch: pytest.MonkeyPatch) -> None:
    assert public.limits.seconds == 60
    monkeypatch.setattr(public, "limits", Limits(seconds=-1))
    assert {answer.state for answer in final(public).values()} == {"stopped"}


def test_the_reader_can_stop(service: AnswerService) -> None:
    assert {answer.state for answer in final(service, cancelled=lambda: True).values()} == {"stopped"}


def test_closing_frees_the_models_for_the_next_one(service: AnswerService) -> None:
    first = service.answers(QUESTION, "smoke", GenerationSettings(max_new_tokens=500))
    next(first)
    found: list[Answers] = []
    second = threading.Thread(target=lambda: found.append(final(service)))
    second.start()
    second.join(0.3)
    assert second.is_alive() and not found  # waits its turn
    first.close()
    second.join(20)
    assert found[0]["base"].tokens == 4


def test_an_error_in_between_frees_the_models_too(service: AnswerService) -> None:
    def ground(_: str) -> Grounding:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        final(service, grounding=ground)
    with pytest.raises(ZeroDivisionError):
        for _ in service.answers(QUESTION, "smoke", SHORT, cancelled=lambda: bool(1 / 0)):
            pass
    assert final(service)["base"].tokens == 4


def test_passages_are_looked_up_for_the_run_and_change_the_third_column_alone(service: AnswerService) -> None:
    asked: list[str] = []

    def ground(*texts: str) -> Callable[[str], Grounding]:
        def found(run_id: str) -> Grounding:
            asked.append(run_id)
            return Grounding("base", passages(*texts))

        return found

    plain = final(service)
    one = final(service, grounding=ground("Gout swells a joint."))
    other = final(service, run="", grounding=ground("Gout swells a joint.", "It often begins at night."))
    assert asked == ["smoke", "smoke"]
    hashes = [answers["with_sources"].provenance.prompt_sha256 for answers in (one, other)]
    assert len({*hashes, plain["base"].provenance.prompt_sha256}) == 3
    with service.models("smoke") as models:
        text = with_passages(QUESTION, ["Gout swells a joint."])
        assert hashes[0] == sha256_text(prompt_text(models.pair.tokenizer, text, "chat"))
    for variant in VARIANTS:
        assert one[variant].provenance == plain[variant].provenance
        assert one[variant].text == plain[variant].text


def test_passages_of_a_run_without_any_leave_the_question_alone(service: AnswerService) -> None:
    answers = final(service, grounding=lambda _: Grounding("base", ()))
    assert answers["with_sources"].text == answers["base"].text
    assert answers["with_sources"].provenance.prompt_sha256 == answers["base"].provenance.prompt_sha256


def test_int8_when_asked_for(service: AnswerService) -> None:
    answers = final(service, settings=SHORT.model_copy(update={"precision": "int8"}))
    assert {answer.provenance.precision for answer in answers.values()} == {"int8"}
    assert all(answer.provenance.engine.endswith(", int8") for answer in answers.values())
    assert final(service)["base"].provenance.engine.endswith(", float32")


def test_who_waits_is_told_for_what(lab: Settings, smoke: Run, tmp_path: Path) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    service, said = AnswerService(replace(lab, reports=tmp_path)), list[str]()
    final(service, progress=said.append)
    assert said == ["loading the adapter"]
    os.utime(tmp_path / "smoke" / "adapter" / "adapter_model.safetensors", ns=(1, 1))
    final(service, progress=said.append)
    assert said == 2 * ["loading the adapter"]
