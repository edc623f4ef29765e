"""The first row of a partial evaluation, and the rows of one that an earlier version left behind."""

from typing import Any

from medqa_core.evaluation.partial import Rows
from medqa_core.runs.schema.evaluation import Protocol
from medqa_core.runs.schema.upgrade_protocol import upgrade_protocol

SCHEMA = 3
_BESIDE = ("split", "prompts_sha256")
"""What stood beside the protocol's sentences in the first row of schema 1."""
_STAGES = {
    "base: loss": "base_loss",
    "base: answers": "base_answers",
    "fine-tuned: loss": "fine_tuned_loss",
    "fine-tuned: answers": "fine_tuned_answers",
    "grounded: answers": "with_sources_answers",
}


def fingerprint(protocol: Protocol, **beside: str) -> dict[str, Any]:
    """What rows must have been measured with to count: the protocol, and the questions or prompts beside it."""
    return {"schema_version": SCHEMA, "protocol": protocol.model_dump(mode="json"), **beside}


def rows_of_today(rows: Rows, today: Protocol) -> Rows:
    """`rows` of an earlier version in the form of today; of nothing that one wrote, as they are.

    Until schema 2 losses were kept without those of each token: they are left out and computed again. Version 0.2 did
    not know the sum of the configuration beside the weights: what it left unfinished counts as of that of `today`.
    """
    if not rows:
        return rows
    first = rows[0]
    version = first.get("schema_version", 1)
    beside = {name: first[name] for name in first if name in _BESIDE}
    try:
        if version == 1:
            sentences = {name: text for name, text in first.items() if name not in _BESIDE}
            protocol = Protocol.model_validate(upgrade_protocol(sentences))
        else:
            protocol = Protocol.model_validate(first["protocol"])
    except (ValueError, KeyError, TypeError):
        return rows
    if protocol.fine_tuned_config_sha256 is None:
        protocol = protocol.model_copy(update={"fine_tuned_config_sha256": today.fine_tuned_config_sha256})
    rest = [_upgraded(row) for row in rows[1:]] if version == 1 else rows[1:]
    if version in (1, 2):
        rest = [row for row in rest if row.get("stage") not in ("base_loss", "fine_tuned_loss")]
    return [fingerprint(protocol, **beside) if version in (1, 2, SCHEMA) else first, *rest]


def _upgraded(row: dict[str, Any]) -> dict[str, Any]:
    if "by_prompt" in row:
        return upgrade_protocol({"base_loss_by_prompt": row["by_prompt"]})  # type: ignore[no-any-return]
    return {**row, "stage": _STAGES.get(row["stage"], row["stage"])} if isinstance(row.get("stage"), str) else row
