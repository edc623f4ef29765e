"""What an interrupted evaluation was of: rows count for the same weights under the same configuration alone."""

from typing import Any

from medqa_core.evaluation.partial_protocol import fingerprint, rows_of_today
from medqa_core.runs.schema.evaluation import Protocol

ROW = {"stage": "fine_tuned_answers", "values": {"0": [1, 2]}}


def protocol(config: str | None) -> Protocol:
    return Protocol(base_sha256="b", fine_tuned_sha256="t", fine_tuned_config_sha256=config)


def kept(written: dict[str, Any], now: Protocol) -> list[dict[str, Any]]:
    """The rows below this first one that an evaluation of `now` goes on from."""
    first, *rows = rows_of_today([written, ROW], now)
    return rows if first == fingerprint(now, split="s") else []


def test_rows_of_an_adapter_whose_scale_was_changed_since_do_not_count() -> None:
    written = fingerprint(protocol("alpha 8"), split="s")
    assert kept(written, protocol("alpha 8")) == [ROW]
    assert kept(written, protocol("alpha 16")) == []


def test_what_a_version_left_that_did_not_know_the_configuration_is_resumed() -> None:
    written = fingerprint(protocol(None), split="s")
    del written["protocol"]["fine_tuned_config_sha256"]
    for version in (2, 3):
        assert kept({**written, "schema_version": version}, protocol("alpha 8")) == [ROW]
