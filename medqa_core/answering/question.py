"""What may be asked, and how an answer is made: the limits hold for every caller, whatever its interface allows."""

import unicodedata
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medqa_core.answering.emergency.screen import NOT_COVERED, REFERRAL, describes_emergency, is_covered
from medqa_core.foundation.errors import EmergencyDescribed, InputError, QuestionRefused
from medqa_core.runs.schema.evaluation import Precision

MAX_CHARACTERS = 1000
ASK_NO_REPEAT = 4
"""`no_repeat_ngram` where nobody says another one on Ask, chosen on validation questions: docs/decisions/0040. The
evaluation decodes without it."""


class GenerationSettings(BaseModel):
    """How the tokens are chosen; by default as in the evaluation. Ask's own default differs in `no_repeat_ngram`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    temperature: float = Field(0.0, ge=0, le=2, description="0 is greedy")
    max_new_tokens: int = Field(128, ge=1, le=512, description="tokens an answer may have")
    seed: int = Field(42, ge=0, le=2**32 - 1, description="seed of the sampling")
    precision: Precision = Field("float32", description="int8 is faster and less exact")
    no_repeat_ngram: int = Field(
        0, ge=0, le=10, description="so many tokens in a row stand in an answer only once; 0 allows any repetition"
    )

    @classmethod
    def checked(cls, **values: object) -> "GenerationSettings":
        """The settings.

        Raises:
            InputError: a value of a wrong type or out of range, in one line.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"{first['msg'][0].lower()}{first['msg'][1:]}."
            raise InputError(reason, field=str(first["loc"][0])) from error


@dataclass(frozen=True)
class Question:
    """A question that a model may be asked. An interface makes it once, and nothing behind it checks again."""

    text: str
    """One line, trimmed, without control and bidirectional characters."""
    notice: str = ""
    """What is to be shown before its answers: that emergencies are not recognised in its language."""

    @classmethod
    def checked(cls, asked: object) -> "Question":
        """What somebody typed or sent, as a question; the only way to make one.

        Raises:
            EmergencyDescribed: it describes an emergency; the message is the referral.
            QuestionRefused: not text, empty, too long, or without a letter or digit.
        """
        text = _cleaned(asked)
        if describes_emergency(text):
            raise EmergencyDescribed(REFERRAL)
        return cls(text, "" if is_covered(text) else NOT_COVERED)


def _cleaned(asked: object) -> str:
    if not isinstance(asked, str):
        raise QuestionRefused("The question must be text.")
    if len(asked) > MAX_CHARACTERS * 4:
        raise QuestionRefused(_too_long(len(asked)))
    text = "".join(" " if c.isspace() else c for c in asked if c.isspace() or unicodedata.category(c)[0] != "C")
    text = " ".join(text.split())
    if not text:
        raise QuestionRefused("The question is empty: type one, for example “What are the symptoms of gout?”")
    if len(text) > MAX_CHARACTERS:
        raise QuestionRefused(_too_long(len(text)))
    if not any(c.isalnum() for c in text):
        raise QuestionRefused("The question has no letter or digit in it.")
    return text


def _too_long(length: int) -> str:
    return f"The question has {length:,} characters; at most {MAX_CHARACTERS:,} are read. Ask for one thing at a time."
