"""OpenAI's chat completions for the models of the runs, at /v1: RUN is the fine-tuned model, RUN/base its base.

Questions wait in the same queue as those of the widget and pass the same checks; answers are decoded as in the
evaluation, which are the widget's without its `no_repeat_ngram`. The addresses are not there on a public demo
(`PrivateOnly`), and no page of another origin may ask them.
"""

import threading
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import aclosing
from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from medqa_core.answering.admission import WAITING, visitor_address
from medqa_core.answering.compare import Answer, Answers
from medqa_core.answering.service import AnswerService
from medqa_core.foundation.errors import EmergencyDescribed, MedQAError
from medqa_core.foundation.files import dumps
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import answerable
from pages.ask.chat_request import BASE, NO_MODEL, ApiError, ChatRequest, parse
from pages.ask.service import answer_service
from pages.web.widget_guard import FOREIGN, TOO_LARGE, is_foreign, read_body

OWNER = "medqa-lab"
HEARTBEAT = ": waiting\n\n"
"""A comment of the stream, at its start: a proxy sees that it is one, and a client passes over it."""


def build() -> Starlette:
    """The addresses as an application of their own, for the app to mount."""
    return chat_app(answer_service(Settings.from_environment()))


def chat_app(service: AnswerService) -> Starlette:
    """The same over any service."""
    chat = ChatApi(service)
    return Starlette(
        routes=[
            Route("/models", chat.models, methods=["GET"]),
            Route("/models/{model:path}", chat.model, methods=["GET"]),
            Route("/chat/completions", chat.completions, methods=["POST"]),
        ],
        middleware=[Middleware(_OwnOrigin)],
        exception_handlers={ApiError: _said, 404: _nothing, 405: _nothing},
    )


class ChatApi:
    """The three addresses."""

    def __init__(self, service: AnswerService) -> None:
        self._service = service
        self._threads = CapacityLimiter(2 * WAITING)  # waiting questions must not take the server's own threads

    async def models(self, request: Request) -> Response:
        """Both models of every run that can answer, the newest run first."""
        return JSONResponse({"object": "list", "data": await to_thread.run_sync(self._listed)})

    async def model(self, request: Request) -> Response:
        """One of them."""
        wanted = request.path_params["model"]
        for one in await to_thread.run_sync(self._listed):
            if one["id"] == wanted:
                return JSONResponse(one)
        raise ApiError(404, NO_MODEL, param="model", code="model_not_found")

    async def completions(self, request: Request) -> Response:
        """An answer, whole or as it grows."""
        content = await read_body(request.headers, request.receive)
        if content is None:
            raise ApiError(413, TOO_LARGE)
        asked = parse(content, self._service.limits.max_new_tokens)
        answers = self._answers(asked, _visitor(request))
        first = await anext(answers)  # what is refused is refused with a status, and not within a stream
        if asked.stream:
            headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
            lines = _events(asked, first, answers)
            return StreamingResponse(lines, media_type="text/event-stream", headers=headers)
        return await _whole(asked, first, answers, request)

    def _listed(self) -> list[dict[str, Any]]:
        return [
            {"id": id, "object": "model", "created": int(entry.created_at.timestamp()), "owned_by": OWNER}
            for entry in answerable(self._service.store)
            for id in (entry.id, f"{entry.id}{BASE}")
        ]

    async def _answers(self, asked: ChatRequest, visitor: str) -> AsyncGenerator["_Reply", None]:
        """The reply as it grows; closing it stops the model.

        Raises:
            ApiError: nothing can be answered.
        """
        try:
            question = await to_thread.run_sync(asked.question)  # the first one fits the screen for emergencies
        except EmergencyDescribed as emergency:
            yield _Reply(str(emergency), None)
            return
        except MedQAError as error:
            raise ApiError.of(error) from error
        gone = threading.Event()
        found: Generator[Answers, None, None] = self._service.answers(
            question,
            asked.run,
            asked.settings,
            visitor=visitor,
            variants=(asked.variant,),
            with_sources=None,
            earlier={asked.variant: asked.earlier},
            cancelled=gone.is_set,
        )
        try:
            while (answers := await to_thread.run_sync(next, found, None, limiter=self._threads)) is not None:
                answer = answers.by_column[asked.variant]
                yield _Reply(answer.text, answer, answers, question.notice)
        except MedQAError as error:
            raise ApiError.of(error) from error
        finally:
            gone.set()
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(found.close, limiter=self._threads)


class _Reply:
    """What stands in the assistant's message so far."""

    def __init__(self, text: str, answer: Answer | None, answers: Answers | None = None, notice: str = "") -> None:
        """`answer` is None for a referral, which no model wrote; `answers` know what was read before it.

        `notice`: what the question says of itself, that emergencies are not recognised in its language.
        """
        self.text = text
        self.answer = answer
        self._answers = answers
        self.notice = {"notice": notice} if notice else {}

    @property
    def finish_reason(self) -> str | None:
        """OpenAI's word: a time limit cut the answer as a token limit does; what stands in place of one is whole."""
        reason = self.answer.finish_reason if self.answer is not None else "no_passage"
        return {"cancelled": "length", "no_passage": "stop"}.get(reason, reason) if reason else None

    @property
    def usage(self) -> dict[str, int]:
        """Tokens read and written; none where no model was asked."""
        read, written = (self.answer.prompt_tokens or 0, self.answer.tokens) if self.answer else (0, 0)
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    @property
    def origin(self) -> dict[str, Any]:
        """What produced it, beside OpenAI's fields."""
        if self.answer is None:
            return {"referral": True}
        made = self.answer.provenance
        weights = f"{made.base_sha256[:12]}-{(made.adapter_sha256 or 'base')[:12]}"
        read = self._answers.as_dict() if self._answers is not None else {}
        sources: dict[str, Any] = {name: read[name] for name in ("passages", "searched") if name in read}
        return {
            "system_fingerprint": weights,
            "provenance": self.answer.as_dict()["provenance"],
            **sources,
            **self.notice,
        }


async def _whole(
    asked: ChatRequest, reply: _Reply, answers: AsyncGenerator[_Reply, None], request: Request
) -> Response:
    failed: ApiError | None = None
    async with aclosing(answers), anyio.create_task_group() as group:

        async def watch() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()  # nobody reads the answer: the model is free for the next question

        group.start_soon(watch)
        try:
            while (following := await anext(answers, None)) is not None:
                reply = following
        except ApiError as error:  # the group would wrap it
            failed = error
        group.cancel_scope.cancel()
    if failed is not None:
        raise failed
    message = {"role": "assistant", "content": reply.text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    return JSONResponse({**_head(asked, "chat.completion"), "choices": [choice], "usage": reply.usage, **reply.origin})


async def _events(asked: ChatRequest, reply: _Reply, answers: AsyncGenerator[_Reply, None]) -> AsyncIterator[str]:
    """The reply as server-sent events, each with what is new."""
    head, sent = _head(asked, "chat.completion.chunk"), ""

    def event(delta: dict[str, str], finish_reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return f"data: {dumps({**head, 'choices': [choice], **more})}\n\n"

    async with aclosing(answers):
        yield HEARTBEAT
        yield event({"role": "assistant", "content": ""}, **reply.notice)  # it is to be read before the answer
        try:
            while True:
                # A later token may change how a word is written.
                if reply.text != sent and reply.text[: len(sent)] == sent:
                    yield event({"content": reply.text[len(sent) :]})
                    sent = reply.text
                following = await anext(answers, None)
                if following is None:
                    break
                reply = following
        except ApiError as error:
            yield f"data: {dumps(error.body)}\n\n"
            return
        yield event({}, reply.finish_reason, **reply.origin)
        if asked.include_usage:
            yield f"data: {dumps({**head, 'choices': [], 'usage': reply.usage})}\n\n"
        yield "data: [DONE]\n\n"


class _OwnOrigin:
    """Refuses what a page of another origin sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_foreign(Request(scope).headers):
            await ApiError(403, FOREIGN).response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _head(asked: ChatRequest, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": asked.model}


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


async def _nothing(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return ApiError(status, "There is nothing at this address; try /v1/models and /v1/chat/completions.").response()


def _visitor(request: Request) -> str:
    peer = request.client.host if request.client else ""
    return visitor_address(peer, ",".join(request.headers.getlist("x-forwarded-for")))
