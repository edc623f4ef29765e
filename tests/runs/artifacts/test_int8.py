"""`int8.json` is read where it is whole, passed over where it is not, and says in a sentence what int8 costs."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from medqa_core.foundation.files import write_json
from medqa_core.report.wording.int8 import sentence
from medqa_core.runs.artifacts.int8 import INT8, Change, Int8Cost, VariantCost, read_int8
from medqa_core.runs.reading import Reading
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import good_run


def cost(**changes: Any) -> Int8Cost:
    loss = Change(float32=2.5, int8=2.50044, difference=0.00044, ci=(-0.001, 0.002))
    rouge = Change(float32=0.2, int8=0.1883, difference=-0.0117, ci=(-0.0234, 0.0004))
    none = Change(float32=0.1, int8=0.10001, difference=0.00001)
    values: dict[str, Any] = {
        "questions": 100,
        "max_new_tokens": 128,
        "engine": "CTranslate2 4",
        "base_sha256": "a" * 64,
        "fine_tuned_sha256": "b" * 64,
        "base": VariantCost(same=0.06, loss=loss, rougeL=rouge),
        "fine_tuned": VariantCost(same=1, loss=none, rougeL=none),
    }
    return Int8Cost(**(values | changes))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_json(tmp_path / INT8, cost().model_dump(mode="json"))
    assert read_int8(tmp_path).value == cost()


def test_a_reader_passes_over_fields_that_it_does_not_know(tmp_path: Path) -> None:
    write_json(tmp_path / INT8, cost().model_dump(mode="json") | {"later": 1})
    assert read_int8(tmp_path).value == cost()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"null", b'{"schema_version": 1}', b"[" * 100_000]
)
def test_what_is_broken_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / INT8).write_bytes(content)
    assert read_int8(tmp_path).value is None


@pytest.mark.parametrize(
    "changes",
    [{"schema_version": 2}, {"questions": 0}, {"base": None}, {"engine": 4.8}, {"max_new_tokens": "x"}],
)
def test_what_is_not_valid_is_passed_over(tmp_path: Path, changes: dict[str, Any]) -> None:
    write_json(tmp_path / INT8, cost().model_dump(mode="json") | changes)
    assert read_int8(tmp_path).value is None


def test_missing_and_no_number(tmp_path: Path) -> None:
    assert read_int8(tmp_path).value is None
    assert read_int8(tmp_path / "nowhere").value is None
    text = json.dumps(cost().model_dump(mode="json"))
    (tmp_path / INT8).write_text(text.replace("0.00044", "NaN"))
    assert read_int8(tmp_path).value is None
    (tmp_path / INT8).unlink()
    (tmp_path / INT8).mkdir()
    assert read_int8(tmp_path).value is None


@pytest.mark.parametrize("same", [-0.1, 1.1])
def test_a_share_is_one(same: float) -> None:
    with pytest.raises(ValidationError):
        VariantCost(same=same, loss=cost().base.loss, rougeL=cost().base.rougeL)


def test_a_broken_file_leaves_the_run_readable(tmp_path: Path) -> None:
    run = good_run(RunStore(tmp_path))
    (run.folder / INT8).write_text("{")
    assert RunStore(tmp_path).open("good").evaluation() is not None


def test_the_sentence() -> None:
    assert sentence(cost()) == (
        "Int8 against float32 on 100 test questions. "
        "base: 6% of the answers the same, ROUGE-L −0.012 [−0.023, 0.000], loss +0.0004; "
        "fine-tuned: 100% of the answers the same, ROUGE-L 0.000, loss 0.0000."
    )


def test_figures_of_another_engine_are_said_to_be() -> None:
    assert sentence(cost(), "CTranslate2 4") == sentence(cost())
    assert sentence(cost(), "OpenVINO 2026.4.1") == (
        f"{sentence(cost())} Measured with CTranslate2 4; OpenVINO 2026.4.1 answers now."
    )
    assert "\n" not in sentence(cost(engine="a" * 500), "OpenVINO 2026.4.1")
    assert len(sentence(cost(engine="a" * 500), "OpenVINO 2026.4.1")) < 400


def test_what_is_there_and_cannot_be_read_is_said(tmp_path: Path) -> None:
    assert read_int8(tmp_path) == Reading(None)
    (tmp_path / INT8).write_bytes(b"{")
    found = read_int8(tmp_path)
    assert found.value is None
    assert len(found.problems) == 1 and found.problems[0].startswith(f"{INT8} is not valid JSON")
