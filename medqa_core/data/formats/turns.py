"""Conversations: their turns, and the one rule by which a conversation becomes a pair.

Of each conversation the first question and the answer to it are read. Later turns can only be understood with what was
said before; they are left aside and counted. System texts are no part of a question; they are told once.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from medqa_core.data.formats.sample import others
from medqa_core.data.tables import Row, Table, Tally
from medqa_core.foundation.errors import shorten

Role = Literal["system", "user", "assistant", "other"]
ROLES: dict[str, Role] = {
    "system": "system", "developer": "system",
    "user": "user", "human": "user", "prompter": "user", "patient": "user", "question": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "ai": "assistant",
    "chatgpt": "assistant", "doctor": "assistant", "answer": "assistant",
}  # fmt: skip
"""Who speaks, under the names that data sets use."""
_SPEAKERS, _TEXTS = ("role", "from", "speaker"), ("content", "value", "text", "utterance")
_CALLS, _CALL_PARTS = ("tool_calls", "function_call"), ("tool_use", "tool_call", "function_call")
"""Where a message calls a tool: its keys, and the types of its parts."""
_SYSTEM_TEXTS = 3
"""Different system texts that are told."""


@dataclass(frozen=True)
class Turn:
    """What one side said."""

    role: Role
    text: str


@dataclass
class Exchanges:
    """Takes the first question and answer of each conversation, and counts what it leaves aside."""

    tally: Tally
    system: Counter[str] = field(default_factory=Counter)

    def first(self, turns: Sequence[Turn], place: str) -> tuple[str, str] | None:
        """The first question, with all that the user said before the answer, and its answer; None without them."""
        asked: list[str] = []
        for number, turn in enumerate(turns):
            if turn.role == "system":
                self._told(turn.text)
            elif turn.role == "user":
                asked.append(turn.text)
            elif turn.role == "assistant" and asked:
                if not any(text.strip() for text in asked):
                    break
                self._later(turns[number + 1 :])
                return "\n".join(asked), turn.text
        self.tally.add("conversation", "without a question and its answer left out", place)
        return None

    def _later(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            if turn.role == "user":
                rule = "left aside: of each conversation the first question and its answer are read"
                self.tally.add("later question", rule)

    def _told(self, text: str) -> None:
        if not text.strip():
            return
        if len(self.system) < _SYSTEM_TEXTS or text in self.system:
            self.system[text] += 1
            said = f'with the system text "{shorten(text, 160)}", which is no part of a question'
            self.tally.add("conversation", said)
        else:
            self.tally.add("conversation", "with another system text, which is no part of a question")


def first_pairs(
    table: Table,
    conversation: Callable[[Row], Sequence[Turn] | None],
    used: tuple[str, ...],
    origins: Mapping[str, str],
) -> Table:
    """A row for each conversation of a table: its first question and the answer to it; the rest is counted.

    Args:
        table: with a conversation a row.
        conversation: its turns; None for a row that holds none.
        used: the columns that it stands in.
        origins: what question and answer are made from.
    """
    exchanges = Exchanges(table.tally)

    def rows() -> Iterator[Row]:
        for row in table.rows:
            turns = conversation(row)
            if turns is None:
                table.tally.add("row", "without a conversation left out", row.place(used[0]))
                continue
            found = exchanges.first(turns, row.place(used[0]))
            if found is not None:
                yield Row(row.file, row.number, {**others(row, *used), "question": found[0], "answer": found[1]})

    columns = ("question", "answer", *(column for column in table.columns if column not in used))
    return replace(table, columns=tuple(dict.fromkeys(columns)), rows=rows(), origins=origins)


def turns_of(value: Any, tally: Tally | None = None) -> list[Turn] | None:
    """The turns of a list of messages; None where it is none. What is no text (pictures, calls) is counted.

    Who calls a tool has not answered yet, whatever is said beside the call.
    """
    if not isinstance(value, list) or not value:
        return None
    turns = []
    for message in value:
        if not isinstance(message, dict):
            return None
        speaker = next((message[name] for name in _SPEAKERS if name in message), None)
        if not isinstance(speaker, str):
            return None
        content = next((message[name] for name in _TEXTS if name in message), None)
        if _calls_tool(message, content):
            turns.append(Turn("other", ""))
            if tally is not None:
                tally.add("message", "with a call of a tool left out")
            continue
        turns.append(Turn(ROLES.get(speaker.strip().lower(), "other"), _content(content, tally)))
    return turns


def _calls_tool(message: dict[str, Any], content: Any) -> bool:
    parts = content if isinstance(content, list) else []
    return any(message.get(key) for key in _CALLS) or any(
        isinstance(part, dict) and part.get("type") in _CALL_PARTS for part in parts
    )


def _content(content: Any, tally: Tally | None) -> str:
    """The text of a message: a string, or parts of which those of type text have one."""
    if isinstance(content, str):
        return content
    parts = []
    for part in content if isinstance(content, list) else []:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            parts.append(text)
        elif tally is not None:
            tally.add("message part", "other than text left out")
    return "\n".join(parts)
