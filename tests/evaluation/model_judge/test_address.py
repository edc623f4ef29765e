"""A judge behind an address: it may be away, slow, busy, refuse, or be something else altogether."""

import re
from typing import Any

import pytest

from medqa_core.evaluation.model_judge.address import LARGEST, TRIES, AddressJudge
from medqa_core.evaluation.model_judge.prompt import request
from medqa_core.foundation.errors import InputError, ModelError, ModelUnavailable
from tests.support.judge_server import JudgeServer, judging, says

ASKED = request("Q?", ["R."], "One.", "Two.")


def judge(server: JudgeServer, waits: list[float] | None = None, **options: Any) -> AddressJudge:
    sleep = (waits if waits is not None else []).append
    values: dict[str, Any] = {"model": "judge-1", "patience": 5.0, "sleep": sleep, **options}
    return AddressJudge(server.address, values.pop("model"), values.pop("key", None), **values)


def test_it_is_asked_as_openai_is() -> None:
    with judging(lambda _: says("first"), key="secret") as server:
        one = judge(server, key="secret")
        assert one.reply(ASKED) == says("first")
        assert one.served == ("judge-1-0613",)
        assert server.paths == ["/v1/chat/completions"]
        (body,) = server.requests
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["temperature"] == 0 and "secret" not in repr(one.__dict__["name"])


@pytest.mark.parametrize("path", ["", "/", "/chat/completions"])
def test_the_address_may_name_the_version_or_the_whole(path: str) -> None:
    with judging(lambda _: says("tie")) as server:
        AddressJudge(server.address + path, "judge-1").reply(ASKED)
        assert server.paths == ["/v1/chat/completions"]


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    waits: list[float] = []
    with judging(lambda _: says("tie"), statuses=[429, 503, 500], headers={"Retry-After": "7"}) as server:
        assert judge(server, waits).reply(ASKED) == says("tie")
    assert waits == [7.0, 7.0, 7.0]


def test_a_server_that_stays_busy_ends_the_work_and_it_can_be_resumed() -> None:
    waits: list[float] = []
    with (
        judging(lambda _: "", statuses=[429] * TRIES, headers={"Retry-After": "soon"}) as server,
        pytest.raises(ModelUnavailable, match=r"HTTP 429, 5 times in a row. What it has judged is kept"),
    ):
        judge(server, waits).reply(ASKED)
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_nobody_there() -> None:
    with judging(lambda _: "") as server:
        pass
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        judge(server).reply(ASKED)


def test_a_reply_that_drips_is_given_up() -> None:
    with (
        judging(lambda _: says("tie"), drip=0.05) as server,
        pytest.raises(ModelUnavailable, match=r"did not answer within 0.2 s"),
    ):
        judge(server, patience=0.2).reply(ASKED)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": 7}}]}', b"\xff", b"[" * 9999],
)
def test_what_is_no_chat_model_is_said(body: bytes) -> None:
    with judging(lambda _: "", body=body) as server, pytest.raises(ModelError, match="is no chat model"):
        judge(server).reply(ASKED)


def test_a_reply_without_end_is_not_read() -> None:
    body = b" " * (LARGEST + 1)
    with judging(lambda _: "", body=body) as server, pytest.raises(ModelError, match="more than 1 MiB"):
        judge(server).reply(ASKED)


def test_a_wrong_key_is_said_and_never_repeated() -> None:
    with judging(lambda _: "", key="secret") as server, pytest.raises(ModelError) as caught:
        judge(server, key="wrong-key-123").reply(ASKED)
    assert "set MEDQA_JUDGE_KEY" in str(caught.value) and "wrong-key-123" not in str(caught.value)


def test_a_model_that_it_does_not_know() -> None:
    with judging(lambda _: "") as server, pytest.raises(ModelError, match="knows no model 'other'"):
        judge(server, model="other").reply(ASKED)


def test_a_redirect_is_not_followed() -> None:
    """The address is the operator's; where its server points to is not."""
    with (
        judging(lambda _: "") as elsewhere,
        judging(lambda _: "", statuses=[307], headers={"Location": elsewhere.address}) as server,
        pytest.raises(ModelError, match="redirects elsewhere, which is not followed"),
    ):
        judge(server).reply(ASKED)
    assert elsewhere.paths == []


@pytest.mark.parametrize("address", ["ftp://a/v1", "file:///etc/passwd", "http://", "https://me:pw@host/v1"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(InputError, match="MEDQA_JUDGE"):
        AddressJudge(address, "m")


def test_nothing_but_the_environment_names_the_address() -> None:
    """No configuration, preset, run folder or page has a field for it; the program reads three variables."""
    from medqa_core.foundation.settings import PACKAGE_ROOT
    from medqa_core.runs.schema.config import EvaluationConfig, TrainConfig
    from tests.support.source import calls

    fields = {*TrainConfig.model_fields, *EvaluationConfig.model_fields}
    assert not [name for name in fields if re.search("judge|url|address|host|endpoint", name)]
    made = {place.split(":")[0] for place, call, _ in calls("medqa_core", "pages") if call.endswith("AddressJudge")}
    assert made == {"judging.py"}, made
    asked = re.compile(r'(_text\(|environ(\.get)?[\[(])"MEDQA_JUDGE')
    read = [path.name for path in (PACKAGE_ROOT / "medqa_core").rglob("*.py") if asked.search(path.read_text("utf-8"))]
    assert read == ["settings.py"]
