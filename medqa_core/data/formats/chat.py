"""Chat formats: `messages`, ShareGPT's `conversations`, and `prompt` with `completion` or `chosen`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from medqa_core.data.columns import REQUIRED, complete
from medqa_core.data.formats.sample import cells, mostly, named, unpacked
from medqa_core.data.formats.turns import Role, Turn, first_pairs, turns_of
from medqa_core.data.tables import Row, Table


def messages(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> Table | None:
    """A column whose cells are lists of messages with a role and a content each: never `rejected`."""
    if any(name in mapping for name in REQUIRED) or complete(table.columns):
        return None
    if named(table, "prompt") and named(table, "chosen"):  # messages too, it may be, and none a whole conversation
        return None
    rejected = named(table, "rejected")
    column = next((one for one in table.columns if one != rejected and _are_messages(sample, one)), None)
    if column is None:
        return None

    def conversation(row: Row) -> list[Turn] | None:
        return turns_of(unpacked(row.values.get(column)), table.tally)

    return first_pairs(
        table, conversation, (column,), {"question": f"{column} (user)", "answer": f"{column} (assistant)"}
    )


def prompt_and_completion(table: Table, sample: Sequence[Row], mapping: Mapping[str, str]) -> Table | None:
    """A column `prompt` and one with what follows, one of them a list of messages; or the `chosen` of two answers.

    A completion may have a `label`, true or false, as KTO wants it (Ethayarajh et al. 2024): false ones are left out.
    """
    prompt, completion = named(table, "prompt"), named(table, "completion", "response", "chosen")
    if prompt is None or completion is None or any(name in mapping for name in REQUIRED):
        return None
    label = _label(table, sample) if completion == named(table, "completion") else None
    lists = [column for column in (prompt, completion) if _are_messages(sample, column)]
    if not lists and label is None and (named(table, "completion", "response") or complete(table.columns)):
        return None
    if label is not None:
        table = replace(table, rows=_desirable(table, label))

    def turns(role: Role, cell: Any) -> list[Turn] | None:
        found = turns_of(unpacked(cell), table.tally)
        return [Turn(role, cell)] if found is None and isinstance(cell, str) else found

    def conversation(row: Row) -> list[Turn] | None:
        before, after = turns("user", row.values.get(prompt)), turns("assistant", row.values.get(completion))
        if before is None or after is None:
            return None
        # `chosen` may hold the whole conversation, the prompt with it.
        return after if [turn for turn in after if turn.role == "user"] else [*before, *after]

    return first_pairs(table, conversation, (prompt, completion), {"question": prompt, "answer": completion})


def _label(table: Table, sample: Sequence[Row]) -> str | None:
    """The column `label` where it holds true and false alone; a number or a letter names an option or a class."""
    label = named(table, "label")
    found = cells(sample, label) if label is not None else []
    return label if found and all(_truth(cell) is not None for cell in found) else None


def _desirable(table: Table, label: str) -> Iterator[Row]:
    """The rows of a table but those whose answer is labelled as one not to give."""
    for row in table.rows:
        if _truth(row.values.get(label)) is False:
            table.tally.add("answer", f"with {label} false left out", row.place(label))
        else:
            yield row


def _truth(cell: object) -> bool | None:
    """True or false, as a value or, in CSV and Excel, as a word; None for anything else."""
    words = {"true": True, "false": False}
    return words.get(cell.strip().lower()) if isinstance(cell, str) else cell if isinstance(cell, bool) else None


def _are_messages(sample: Sequence[Row], column: str) -> bool:
    return mostly([turns_of(unpacked(cell)) is not None for cell in cells(sample, column)])
