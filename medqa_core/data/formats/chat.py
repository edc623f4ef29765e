"""Chat formats: `messages`, ShareGPT's `conversations`, and `prompt` with `completion` or `chosen`."""

from collections.abc import Mapping, Sequence

from medqa_core.data.columns import REQUIRED, complete
from medqa_core.data.formats.sample import cells, mostly, named, unpacked
from medqa_core.data.formats.turns import Turn, first_pairs, turns_of
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
    """A column `prompt` and one with what follows, one of them a list of messages; or the `chosen` of two answers."""
    prompt, completion = named(table, "prompt"), named(table, "completion", "response", "chosen")
    if prompt is None or completion is None or any(name in mapping for name in REQUIRED):
        return None
    lists = [column for column in (prompt, completion) if _are_messages(sample, column)]
    if not lists and (named(table, "completion", "response") or complete(table.columns)):
        return None

    def conversation(row: Row) -> list[Turn] | None:
        asked, told = unpacked(row.values.get(prompt)), unpacked(row.values.get(completion))
        before = [Turn("user", asked)] if isinstance(asked, str) else turns_of(asked, table.tally)
        after = [Turn("assistant", told)] if isinstance(told, str) else turns_of(told, table.tally)
        if before is None or after is None:
            return None
        # `chosen` may hold the whole conversation, the prompt with it.
        return after if [turn for turn in after if turn.role == "user"] else [*before, *after]

    return first_pairs(table, conversation, (prompt, completion), {"question": prompt, "answer": completion})


def _are_messages(sample: Sequence[Row], column: str) -> bool:
    return mostly([turns_of(unpacked(cell)) is not None for cell in cells(sample, column)])
