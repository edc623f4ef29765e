"""The exceptions that medqa_core raises on purpose. Each message says what happened and what to do next.

MedQAError                  (exit code 1)
├── InputError              (exit code 2) a value that the caller gave
│   ├── UnknownName         a name that is not in a closed list; carries the nearest match
│   ├── NoRevisions         a revision of what has none
│   └── QuestionRefused     a question that no model will be asked
│       └── EmergencyDescribed  since it describes an emergency
├── NotNow                  what was asked for has to wait
├── RunError                a run folder
│   ├── RunNotFound         (exit code 2)
│   ├── UnreadableFile      missing, torn, too large or invalid
│   └── OutsideStore        a path or link that leaves the run store
├── DataUnavailable         a data set that is not available
└── ModelError              a model
    ├── ModelUnavailable    not available
    └── ChecksumMismatch    a download that is not what it should be
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MedQAError(Exception):
    """Base class. `str(error)` is one line a person can act on."""

    exit_code = 1
    may_pass = True
    """Whether the same may go well when it is tried again: nothing is wrong with what was given."""
    field: str | None = None
    """The name of the value that is not acceptable, as the caller knows it; None where the error is about no value."""

    @property
    def reason(self) -> str:
        """The message without the field's name in front."""
        return str(self)


class InputError(MedQAError):
    """A value that the caller gave is not acceptable."""

    exit_code = 2
    may_pass = False

    def __init__(self, reason: str, *, field: str | None = None) -> None:
        """`str(error)` is `FIELD: REASON`, or the reason alone where no field is to blame."""
        super().__init__(reason if field is None else f"{field}: {reason}")
        self.field = field
        self._reason = reason

    @property
    def reason(self) -> str:
        """The message without the field's name in front."""
        return self._reason


class UnknownName(InputError):
    """A name that is not one of the allowed ones."""

    def __init__(self, field: str, given: str, allowed: Iterable[str]) -> None:
        names = sorted(allowed)
        near = get_close_matches(given, names, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        listing = ", ".join(names) if names else "none"
        super().__init__(f"{shorten(given)!r} is not known; allowed: {listing}.{hint}", field=field)
        self.nearest = near[0] if near else None


class NoRevisions(InputError):
    """A revision was given of a model that has none."""

    def __init__(self, name: str, *, field: str) -> None:
        said = f"{shorten(name)!r} has no revisions; leave the revision out (only models on the hub have one)."
        super().__init__(said, field=field)


class QuestionRefused(InputError):
    """The question is empty, too long, or not text."""


class EmergencyDescribed(QuestionRefused):
    """The question describes an emergency; the message is the referral, to be given in place of both answers."""


class NotNow(MedQAError):
    """Nothing is wrong with what was asked for, but it has to wait; the message says for what."""


class RunError(MedQAError):
    """Something about a run folder."""


class RunNotFound(RunError):
    """No run of that id in the store."""

    exit_code = 2


class UnreadableFile(RunError):
    """A file of a run folder is missing, torn, too large or not valid."""


class OutsideStore(RunError):
    """A path or a link leads out of the folder it must stay in."""

    exit_code = 2


class DataUnavailable(MedQAError):
    """A data set is not available here."""


class ModelError(MedQAError):
    """Something about a model's files."""


class ModelUnavailable(ModelError):
    """A model is not available here."""


class ChecksumMismatch(ModelError):
    """A file's SHA-256 is not the one that was pinned; the file was not used."""


def shorten(text: str, limit: int = 80) -> str:
    """`text` cut to `limit` characters with an ellipsis, for use in a one-line message."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def first_line(error: BaseException) -> str:
    """The first line of what somebody else's error says; the name of its type where it says nothing."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0]
