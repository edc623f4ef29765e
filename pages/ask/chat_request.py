"""A chat completion as OpenAI's clients ask for it, checked; and an error as they read it."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse

from medqa_core.answering.compare import MOST_TURNS
from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.foundation.errors import InputError, MedQAError, NotNow, OutsideStore, RunNotFound, shorten
from medqa_core.foundation.files import loads
from medqa_core.models.prompt import Turn
from medqa_core.models.variants import Variant

BASE = "/base"
"""Behind a run's id: its base model. The id alone is its fine-tuned one."""
MAX_ANSWER = 8_000
"""Characters of an earlier answer: as many as the longest one here has tokens, several times over."""
NO_MODEL = "No such model here; /v1/models lists them."
RUN_ID = "run id"
"""What errors call a name that can be no run's."""
NEUTRAL: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("n", "top_p", "best_of"), (None, 1)),
    **dict.fromkeys(("frequency_penalty", "presence_penalty", "top_logprobs", "logprobs"), (None, 0)),
    **{name: (None, []) for name in ("tools", "functions")},
    "stop": (None, [], ""),
    "logit_bias": (None, {}),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
    "audio": (None,),
}
"""Parameters that would change the answer and that nothing here knows, with the values that change nothing."""


class ApiError(Exception):
    """Something that cannot be answered, in the shape that OpenAI's clients know."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    @classmethod
    def of(cls, error: MedQAError) -> "ApiError":
        """One of ours: what the caller can mend is a 4xx, all else is this server's."""
        if isinstance(error, NotNow):
            return cls(429, str(error), code="rate_limit_exceeded")
        if isinstance(error, RunNotFound | OutsideStore) or error.field == RUN_ID:
            return cls(404, NO_MODEL, param="model", code="model_not_found")
        if isinstance(error, InputError):
            return cls(400, error.reason, param=error.field)
        return cls(503, str(error), code="model_not_available")

    @property
    def body(self) -> dict[str, Any]:
        """As JSON."""
        kind = "invalid_request_error" if self.status < 500 and self.status != 429 else "server_error"
        kind = "rate_limit_error" if self.status == 429 else kind
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The whole answer."""
        return JSONResponse(self.body, status_code=self.status)


class _Part(BaseModel):
    type: Literal["text"]
    text: str


class _Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Body(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)

    model: str = Field(max_length=200)
    messages: list[_Message] = Field(min_length=1)
    stream: bool | None = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class ChatRequest:
    """What is asked of whom."""

    model: str
    run: str
    variant: Variant
    text: str
    """The question as it was sent; `Question.checked` has not seen it."""
    earlier: tuple[Turn, ...]
    """The turns before it, as they were sent."""
    settings: GenerationSettings
    stream: bool
    include_usage: bool

    def question(self) -> Question:
        """The question; its notice is an earlier one's where it has none itself.

        Raises:
            EmergencyDescribed: it describes an emergency, or one before it does.
            QuestionRefused: empty, too long, or without a letter; or one before it is.
        """
        earlier = [Question.checked(turn.question) for turn in self.earlier]
        asked = Question.checked(self.text)
        return replace(asked, notice=next((one.notice for one in (asked, *earlier) if one.notice), ""))


def parse(content: bytes, most_tokens: int) -> ChatRequest:
    """The request in a body of JSON.

    Args:
        content: the body.
        most_tokens: what an answer may have here at most; a request for more gets as many.

    Raises:
        ApiError: no JSON, a value of a wrong type or out of range, or something that nothing here can do.
    """
    try:
        values = loads(content.decode("utf-8"))
    except ValueError as error:
        raise ApiError(400, "The body is not JSON.") from error
    if not isinstance(values, dict):
        raise ApiError(400, "The body is not a JSON object.")
    for name, allowed in NEUTRAL.items():
        if values.get(name) not in allowed:
            raise ApiError(400, f"{name} cannot be chosen here: leave it out.", param=name)
    try:
        body = _Body.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:3])
        raise ApiError(400, f"{where}: {shorten(first['msg'], 160)}.", param=str(first["loc"][0])) from error
    run, variant = split_model(body.model)
    if not run:
        raise ApiError(404, NO_MODEL, param="model", code="model_not_found")
    wanted = body.max_completion_tokens or body.max_tokens
    chosen = {
        "temperature": body.temperature,
        "seed": body.seed,
        "max_new_tokens": None if wanted is None else min(wanted, most_tokens),
    }
    try:
        settings = GenerationSettings.checked(**{name: value for name, value in chosen.items() if value is not None})
    except InputError as error:
        raise ApiError.of(error) from error
    usage = body.stream_options is not None and body.stream_options.include_usage
    earlier, text = _asked(body.messages)
    return ChatRequest(body.model, run, variant, text, earlier, settings, bool(body.stream), usage)


def split_model(model: str) -> tuple[str, Variant]:
    """A model's id as a run and which of its models."""
    return (model[: -len(BASE)], "base") if model.endswith(BASE) else (model, "fine_tuned")


def _asked(messages: list[_Message]) -> tuple[tuple[Turn, ...], str]:
    """The turns before the question, and the question; an instruction would not reach the models: none is dropped."""
    said = [message for message in messages if message.text.strip() or message.role in ("user", "assistant")]
    roles = [message.role for message in said]
    if roles != ["user", "assistant"] * (len(said) // 2) + ["user"]:
        raise ApiError(
            400,
            "These models were fine-tuned on questions: send messages of role user and assistant in turn, a question "
            "last, and no instruction.",
            param="messages",
        )
    if len(said) > 2 * MOST_TURNS + 1 or any(len(one.text) > MAX_ANSWER for one in said[1::2]):
        raise ApiError(
            400,
            f"At most {MOST_TURNS} earlier turns are read, with answers of {MAX_ANSWER:,} characters at most.",
            param="messages",
        )
    turns = (Turn(asked.text, answer.text) for asked, answer in zip(said[:-1:2], said[1::2], strict=True))
    return tuple(turns), said[-1].text
