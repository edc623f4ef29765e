"""OpenAI's chat completions over the smoke run's toy models, and over a service that does what a test wants."""

import json
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.testclient import TestClient

from medqa_core.answering.admission import Limits
from medqa_core.answering.compare import Answer, Answers
from medqa_core.answering.emergency.screen import NOT_COVERED
from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.answering.service import AnswerService
from medqa_core.foundation.errors import ModelError, NotNow
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from pages.ask.chat_completions import chat_app
from tests.support.answers import provenance

TEXT = "What are the symptoms of gout?"
EMERGENCY = "I have crushing chest pain right now and cannot breathe, what do I do?"
POLISH = "Jakie są objawy dny moczanowej?"
URL = "http://localhost:8501"
TURN = [{"role": "user", "content": TEXT}, {"role": "assistant", "content": "A joint hurts.<|end|>"}]


@pytest.fixture(scope="module")
def service(smoke: Run, lab: Settings) -> AnswerService:
    return AnswerService.of(lab)


@pytest.fixture(scope="module")
def client(service: AnswerService) -> Iterator[TestClient]:
    with TestClient(chat_app(service), base_url=URL) as found:
        yield found


def body(text: str = TEXT, model: str = "smoke", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 5, **more}


def expected(service: AnswerService, **options: Any) -> Answer:
    found = list(service.answers(Question.checked(TEXT), "smoke", GenerationSettings(max_new_tokens=5), **options))
    (answer,) = found[-1].by_column.values()
    return answer


def events(text: str) -> list[Any]:
    """The data of a stream of events, without its end."""
    blocks = [block for block in text.split("\n\n") if block.startswith("data: ")]
    assert blocks[-1] == "data: [DONE]"
    return [json.loads(block.removeprefix("data: ")) for block in blocks[:-1]]


def test_earlier_turns_are_read_and_said(client: TestClient) -> None:
    follow_up = {"role": "user", "content": "How is it treated?"}
    said = client.post("/chat/completions", json=body(messages=[*TURN, *TURN, follow_up])).json()
    alone = client.post("/chat/completions", json=body("How is it treated?")).json()
    assert (said["provenance"]["turns"], alone["provenance"]["turns"]) == (2, 0)
    assert said["usage"]["prompt_tokens"] > alone["usage"]["prompt_tokens"]


def test_an_emergency_in_an_earlier_turn_gets_the_referral(client: TestClient) -> None:
    turns = [{"role": "user", "content": EMERGENCY}, TURN[1], {"role": "user", "content": "And then?"}]
    assert client.post("/chat/completions", json=body(messages=turns)).json()["referral"] is True


def test_both_models_of_a_run_are_listed(client: TestClient) -> None:
    listed = client.get("/models").json()
    assert listed["object"] == "list"
    assert [one["id"] for one in listed["data"]] == ["smoke", "smoke/base"]
    assert client.get("/models/smoke/base").json() == listed["data"][1]
    assert client.get("/models/none").status_code == 404


@pytest.mark.parametrize(("model", "variant"), [("smoke", "fine_tuned"), ("smoke/base", "base")])
def test_an_answer_is_that_of_ask(client: TestClient, service: AnswerService, model: str, variant: Any) -> None:
    said = client.post("/chat/completions", json=body(model=model)).json()
    answer = expected(service, variants=(variant,))
    (choice,) = said["choices"]
    assert choice["message"] == {"role": "assistant", "content": answer.text}
    assert choice["finish_reason"] == answer.finish_reason == "length"
    assert said["usage"]["completion_tokens"] == answer.tokens == 5
    assert said["usage"]["prompt_tokens"] == answer.prompt_tokens
    assert (said["object"], said["model"]) == ("chat.completion", model)
    assert said["provenance"]["variant"] == variant
    assert (said["provenance"]["adapter_sha256"] is None) == (variant == "base")


def test_a_stream_adds_up_to_the_whole(client: TestClient) -> None:
    whole = client.post("/chat/completions", json=body()).json()
    answer = client.post("/chat/completions", json=body(stream=True, stream_options={"include_usage": True}))
    assert answer.headers["content-type"].startswith("text/event-stream")
    chunks = events(answer.text)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks if chunk["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1] == {**chunks[-1], "choices": [], "usage": whole["usage"]}


@pytest.mark.parametrize("stream", [False, True])
def test_an_emergency_gets_the_referral_and_no_model(
    client: TestClient, service: AnswerService, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr(service, "answers", lambda *_, **__: pytest.fail("a model was asked"))
    answer = client.post("/chat/completions", json=body(EMERGENCY, stream=stream))
    assert answer.status_code == 200
    if stream:
        chunks = events(answer.text)
        text, last = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks), chunks[-1]
    else:
        last = answer.json()
        text = last["choices"][0]["message"]["content"]
    assert text.startswith("This may be an emergency. Call your local emergency number now")
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["referral"] is True


@pytest.mark.parametrize("stream", [False, True])
def test_a_question_in_a_language_that_is_not_covered_gets_the_notice(client: TestClient, stream: bool) -> None:
    for messages in ([{"role": "user", "content": POLISH}], [{"role": "user", "content": POLISH}, *TURN[1:], TURN[0]]):
        answer = client.post("/chat/completions", json=body(messages=messages, stream=stream))
        said = events(answer.text) if stream else [answer.json()]
        assert said[0]["notice"] == said[-1]["notice"] == NOT_COVERED and "112 in Europe" in NOT_COVERED
        assert "referral" not in said[-1] and said[-1]["choices"][0]["finish_reason"] == "length"
    assert "notice" not in client.post("/chat/completions", json=body()).json()


def test_what_clients_send_besides_changes_nothing(client: TestClient) -> None:
    plain = client.post("/chat/completions", json=body()).json()["choices"]
    more = body(
        n=1,
        top_p=1,
        stop=None,
        tools=[],
        user="me",
        store=False,
        logprobs=False,
        presence_penalty=0.0,
        response_format={"type": "text"},
        max_completion_tokens=5,
        max_tokens=None,
    )
    parts = [{"role": "system", "content": ""}, {"role": "user", "content": [{"type": "text", "text": TEXT}]}]
    assert client.post("/chat/completions", json={**more, "messages": parts}).json()["choices"] == plain


@pytest.mark.parametrize(
    ("change", "status", "param", "words"),
    [
        ({"model": "none"}, 404, "model", "/v1/models lists them"),
        ({"model": "../smoke"}, 404, "model", "/v1/models lists them"),
        ({"model": "/base"}, 404, "model", "/v1/models lists them"),
        ({"model": 3}, 400, "model", "valid string"),
        ({"messages": []}, 400, "messages", "at least 1 item"),
        ({"messages": [{"role": "user", "content": "  "}]}, 400, None, "The question is empty"),
        ({"messages": [{"role": "user", "content": "a" * 2000}]}, 400, None, "at most 1,000 are read"),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, 400, "messages", "no instruction"),
        ({"messages": [{"role": "user", "content": TEXT}] * 2}, 400, "messages", "in turn"),
        ({"messages": [{"role": "assistant", "content": TEXT}]}, 400, "messages", "in turn"),
        ({"messages": TURN * 7 + TURN[:1]}, 400, "messages", "At most 6 earlier turns"),
        (
            {"messages": [TURN[0], {"role": "assistant", "content": "x" * 8001}, TURN[0]]},
            400,
            "messages",
            "8,000 characters",
        ),
        ({"messages": [{"role": "user", "content": "?!"}, *TURN[1:], TURN[0]]}, 400, None, "no letter"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages", "messages.0.content"),
        ({"temperature": 3}, 400, "temperature", "less than or equal to 2"),
        ({"max_tokens": 0}, 400, "max_tokens", "greater than or equal to 1"),
        ({"n": 2}, 400, "n", "leave it out"),
        ({"stop": ["."]}, 400, "stop", "leave it out"),
        ({"tools": [{"type": "function"}]}, 400, "tools", "leave it out"),
        ({"seed": -1}, 400, "seed", "greater than or equal to 0"),
    ],
)
def test_bad_requests_are_errors_as_clients_know_them(
    client: TestClient, change: dict[str, Any], status: int, param: str | None, words: str
) -> None:
    answer = client.post("/chat/completions", json={**body(), **change})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert words in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"model": NaN}'])
def test_what_is_no_json_object_is_said(client: TestClient, content: bytes) -> None:
    answer = client.post("/chat/completions", content=content)
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


def test_more_tokens_than_an_answer_may_have_are_cut(service: AnswerService) -> None:
    class Short(AnswerService):
        limits = Limits(max_new_tokens=3)

    short = Short.__new__(Short)
    short.__dict__ = {**service.__dict__, "limits": Limits(max_new_tokens=3)}
    with TestClient(chat_app(short), base_url=URL) as client:
        said = client.post("/chat/completions", json=body(max_tokens=100_000)).json()
    assert said["usage"]["completion_tokens"] == 3
    assert said["choices"][0]["finish_reason"] == "length"


class Scripted:
    """A service whose answers are a script's."""

    limits = Limits()
    store: Any = SimpleNamespace()

    def __init__(self, *script: str | Exception) -> None:
        self.script = script
        self.closed = threading.Event()

    def answers(self, *_: Any, **__: Any) -> Generator[Answers, None, None]:
        chosen = GenerationSettings(max_new_tokens=5).model_dump()
        made = provenance("fine_tuned", **chosen)
        answer = Answer("", 0, 0.0, None, made, 4)
        try:
            for one in self.script:
                if isinstance(one, Exception):
                    raise one
                answer = replace(answer, text=one, tokens=answer.tokens + 1)
                yield Answers({"fine_tuned": answer})
            yield Answers({"fine_tuned": replace(answer, finish_reason="cancelled")})
        finally:
            self.closed.set()


def post(service: Scripted, **more: Any) -> Any:
    with TestClient(chat_app(cast(AnswerService, service)), base_url=URL) as client:
        return client.post("/chat/completions", json=body(**more))


def test_a_full_queue_is_a_rate_limit() -> None:
    for stream in (False, True):
        answer = post(Scripted(NotNow("20 questions are already waiting: ask again in a minute.")), stream=stream)
        assert answer.status_code == 429
        assert answer.json()["error"]["type"] == "rate_limit_error"


def test_what_fails_in_the_middle_is_said_and_the_model_is_freed() -> None:
    whole = Scripted("a", ModelError("It broke."))
    answer = post(whole)
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "It broke.")
    assert answer.json()["error"]["type"] == "server_error"
    streamed = Scripted("a", ModelError("It broke."))
    text = post(streamed, stream=True).text
    assert '"message": "It broke."' in text
    assert "[DONE]" not in text
    assert whole.closed.is_set() and streamed.closed.is_set()


def test_a_time_limit_is_a_cut_answer() -> None:
    said = post(Scripted("a", "a b")).json()
    assert said["choices"][0]["finish_reason"] == "length"
    assert said["choices"][0]["message"]["content"] == "a b"
    assert said["usage"] == {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


def test_text_that_a_later_token_rewrites_is_not_sent_twice() -> None:
    chunks = events(post(Scripted("do n", "don't", "don't."), stream=True).text)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "do n"
