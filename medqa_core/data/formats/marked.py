"""One column of text in which marks say who speaks, as trainers are fed: `### Instruction:`, ChatML and others."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from medqa_core.data.columns import complete
from medqa_core.data.formats.sample import cells, mostly, named
from medqa_core.data.formats.turns import Role, Turn, first_pairs
from medqa_core.data.tables import Row, Table


@dataclass(frozen=True)
class Style:
    """One way to mark who speaks."""

    name: str
    marks: re.Pattern[str]
    """With a group for each role; `more` goes on with the question, `end` ends a turn."""


def _style(name: str, user: str, assistant: str, more: str = "", system: str = "", end: str = "") -> Style:
    groups = {"user": user, "assistant": assistant, "more": more, "system": system, "end": end}
    listed = (f"(?P<{role}>{pattern})" for role, pattern in groups.items() if pattern)
    return Style(name, re.compile("|".join(listed)))


STYLES = (
    _style(
        "### Instruction: … ### Response:",
        r"#{2,3} *Instructions?:?(?=\s)",
        r"#{2,3} *(?:Response|Output|Answer):?(?=\s)",
        more=r"#{2,3} *(?:Input|Context):?(?=\s)",
        end=r"</s>|<\|endoftext\|>|<\|eot_id\|>|#{2,3} *End",
    ),
    _style(
        "### Human: … ### Assistant:",
        r"#{2,3} *(?:Human|User|Question):",
        r"#{2,3} *(?:Assistant|AI|Bot|Answer):",
        system=r"#{2,3} *System:",
        end=r"</s>|<\|endoftext\|>",
    ),
    _style(
        "<|im_start|>user … <|im_start|>assistant",
        r"<\|im_start\|>\s*user\b",
        r"<\|im_start\|>\s*assistant\b",
        system=r"<\|im_start\|>\s*system\b",
        end=r"<\|im_end\|>|<\|endoftext\|>",
    ),
    _style(
        "<|start_header_id|>user … <|start_header_id|>assistant",
        r"<\|start_header_id\|>\s*user\s*<\|end_header_id\|>",
        r"<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>",
        system=r"<\|start_header_id\|>\s*system\s*<\|end_header_id\|>",
        end=r"<\|eot_id\|>|<\|end_of_text\|>",
    ),
    _style(
        "<start_of_turn>user … <start_of_turn>model",
        r"<start_of_turn>\s*user\b",
        r"<start_of_turn>\s*model\b",
        end=r"<end_of_turn>|<eos>",
    ),
    _style("[INST] … [/INST]", r"\[INST\]", r"\[/INST\]", system=r"<<SYS>>", more=r"<</SYS>>", end=r"</s>"),
    _style(
        "<|user|> … <|assistant|>",
        r"<\|user\|>",
        r"<\|assistant\|>",
        system=r"<\|system\|>",
        end=r"<\|end\|>|</s>|<\|endoftext\|>",
    ),
    _style("<human>: … <bot>:", r"<human>:", r"<bot>:"),
    _style(
        "USER: … ASSISTANT:",
        r"(?:(?<=\s)|^)(?:USER|User|Human|HUMAN|Patient):",
        r"(?:(?<=\s)|^)(?:ASSISTANT|Assistant|Doctor|AI|Bot):",
        system=r"(?:(?<=\s)|^)(?:SYSTEM|System):",
        end=r"</s>",
    ),
    _style(
        "Question: … Answer:",
        r"(?:(?<=\s)|^)(?:Question|Q):",
        r"(?:(?<=\s)|^)(?:Answer|A):",
        more=r"(?:(?<=\s)|^)(?:Options|Choices):",
    ),
)
"""The marks that trainers' templates write, the ones that cannot be mistaken first."""
_NAMES = ("text", "content", "prompt", "conversation", "dialogue", "sample", "data", "example", "train")


def marked_text(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> Table | None:
    """A column of text with marks, where no column is an answer."""
    if "answer" in mapping or complete(table.columns):
        return None
    column = mapping.get("question") or named(table, *_NAMES) or (table.columns[0] if len(table.columns) == 1 else "")
    texts = [cell for cell in cells(sample, column) if isinstance(cell, str)]
    style = next((style for style in STYLES if mostly([_is_marked(style, text) for text in texts])), None)
    if style is None:
        return None

    def conversation(row: Row) -> list[Turn]:
        text = row.values.get(column)
        return turns_of(style, text) if isinstance(text, str) else []

    noted = replace(table, notes=(*table.notes, f"text with the marks {style.name}"))
    origins = {"question": f"{column} (question)", "answer": f"{column} (answer)"}
    return first_pairs(noted, conversation, (column,), origins)


def turns_of(style: Style, text: str) -> list[Turn]:
    """The turns of a text; what stands before the first mark is a system text."""
    turns: list[Turn] = []
    role: Role | None = "system"
    start = 0
    for found in [*style.marks.finditer(text), None]:
        piece = text[start : found.start() if found else len(text)].strip()
        if piece and role is not None:
            turns.append(Turn(role, piece))
        if found is not None:
            start = found.end()
            role = _role(found.lastgroup)
    return [turn for turn in turns if turn.text not in ("<s>", "<bos>", "<|begin_of_text|>")]


def _role(group: str | None) -> Role | None:
    roles: dict[str, Role] = {"user": "user", "more": "user", "assistant": "assistant", "system": "system"}
    return roles.get(group or "")


def _is_marked(style: Style, text: str) -> bool:
    roles = [turn.role for turn in turns_of(style, text)]
    return "user" in roles and "assistant" in roles[roles.index("user") :]
