"""docs/run-folder.md names each column of a run's tables of answers and each field of an evaluation."""

import re

import pyarrow as pa
import pytest
from pydantic import BaseModel

from medqa_core.runs.artifacts import predictions, with_sources
from medqa_core.runs.schema.evaluation import Evaluation, Generation, Metric, RetrievalProtocol
from tests.support.docs_tables import section

PREDICTIONS = "## predictions.parquet"
OF_A_MODEL = re.compile("^(?:base|fine_tuned|template_answer|nearest_answer|top_passage)_")
OF_A_KIND = re.compile("^(?:number|name)_")
"""The page names the columns of genes, and "the same of" the other kinds."""
SCORES_OF_CONTENT = {"rougeL_outside_templates", "token_f1_outside_templates", "content_f1", "specifics"}
"""Named together there."""


def named(heading: str) -> set[str]:
    """Every word in backticks of a section."""
    codes = re.findall("`([^`]+)`", section("run-folder.md", heading))
    return {word for code in codes for word in re.findall(r"\w+", code)}


@pytest.mark.parametrize(
    ("heading", "schema"),
    [(PREDICTIONS, predictions.SCHEMA), ("## with_sources.parquet", with_sources.SCHEMA)],
    ids=["predictions", "with_sources"],
)
def test_each_column_is_named(heading: str, schema: pa.Schema) -> None:
    columns = {OF_A_KIND.sub("gene_", OF_A_MODEL.sub("", name)) for name in schema.names}
    assert not columns - SCORES_OF_CONTENT - named(heading) - named(PREDICTIONS)


@pytest.mark.parametrize("model", [Evaluation, Metric, Generation, RetrievalProtocol])
def test_each_field_of_an_evaluation_is_named(model: type[BaseModel]) -> None:
    assert not set(model.model_fields) - named("## evaluation.json") - {"schema_version"}
