"""The first row of a partial evaluation, and the rows of one that version 0.1 left behind."""

from typing import Any

from medqa_core.evaluation.partial import Rows
from medqa_core.runs.schema.evaluation import Protocol
from medqa_core.runs.schema.upgrade_protocol import upgrade_protocol

SCHEMA = 2
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
    # Without the configuration's sum, which 0.2 did not know: what it left unfinished is resumed.
    said = protocol.model_dump(mode="json", exclude={"fine_tuned_config_sha256"})
    return {"schema_version": SCHEMA, "protocol": said, **beside}


def rows_of_schema_1(rows: Rows) -> Rows:
    """`rows` in the form of today; as they are where they are of today already, or of nothing that 0.1 wrote."""
    if not rows or "schema_version" in rows[0]:
        return rows
    sentences = {name: text for name, text in rows[0].items() if name not in _BESIDE}
    try:
        protocol = Protocol.model_validate(upgrade_protocol(sentences))
    except ValueError:
        return rows
    beside = {name: rows[0][name] for name in _BESIDE if name in rows[0]}
    return [fingerprint(protocol, **beside), *map(_upgraded, rows[1:])]


def _upgraded(row: dict[str, Any]) -> dict[str, Any]:
    if "by_prompt" in row:
        return upgrade_protocol({"base_loss_by_prompt": row["by_prompt"]})  # type: ignore[no-any-return]
    return {**row, "stage": _STAGES.get(row["stage"], row["stage"])} if isinstance(row.get("stage"), str) else row
