"""evaluation.json of schema 2 and of a newer version's names."""

import pytest
from pydantic import ValidationError

from medqa_core.runs.schema.evaluation import Evaluation
from tests.support.evaluations import evaluation


def test_schema_2_is_read_as_today() -> None:
    found = Evaluation.model_validate(evaluation(schema_version=2))
    assert found.schema_version == 3
    assert (found.controls, found.references) == ({}, None)
    assert found.base_generation is not None and found.base_generation.template_share is None
    assert found.metrics == Evaluation.model_validate(evaluation(schema_version=3)).metrics


def test_names_of_a_newer_version_are_passed_over() -> None:
    found = Evaluation.model_validate(
        evaluation(controls={"coin": {}, "nearest_answer": {"values": {"rougeL": 0.2, "shine": 1.0}}})
    )
    assert list(found.controls) == ["nearest_answer"]
    assert found.controls["nearest_answer"].values == {"rougeL": 0.2}


def test_a_share_above_one_is_no_share() -> None:
    with pytest.raises(ValidationError):
        Evaluation.model_validate(evaluation(references={"template_share": 1.2}))
