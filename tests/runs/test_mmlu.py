"""lm-evaluation-harness's results are read by subset; anything else in the file is left alone."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa_core.runs.mmlu import SUBSETS, parse_results
from runs.samples import lm_eval


def test_one_model():
    results = parse_results(lm_eval())
    assert results.base is None
    [score] = results.fine_tuned
    assert (score.subset, score.accuracy, score.n) == ("medical_genetics", 0.26, 100)
    assert score.stderr == pytest.approx(0.0440844)


def test_two_models():
    results = parse_results({"base": lm_eval(0.25), "fine_tuned": lm_eval(0.5)})
    assert results.base is not None
    assert results.base[0].accuracy == 0.25
    assert results.fine_tuned[0].accuracy == 0.5


def test_pooled_accuracy_weighs_by_questions():
    value = {
        "results": {"mmlu_anatomy": {"acc,none": 0.2}, "mmlu_college_medicine": {"acc,none": 0.5}},
        "n-samples": {"mmlu_anatomy": {"effective": 100}, "mmlu_college_medicine": {"effective": 50}},
    }
    results = parse_results(value)
    assert results.pooled(results.fine_tuned) == pytest.approx(0.3)
    del value["n-samples"]
    results = parse_results(value)
    assert results.pooled(results.fine_tuned) is None


def test_an_older_harness_s_names():
    value = {"results": {f"hendrycksTest-{s}": {"acc": 0.3, "acc_stderr": 0.01} for s in SUBSETS}}
    assert [score.subset for score in parse_results(value).fine_tuned] == sorted(SUBSETS)


def test_a_subset_counts_once():
    value = {"results": {"mmlu_anatomy": {"acc,none": 0.2}, "mmlu_flan_anatomy": {"acc,none": 0.9}}}
    assert [score.accuracy for score in parse_results(value).fine_tuned] == [0.2]


@pytest.mark.parametrize("accuracy", [None, "N/A", True, math.nan, math.inf, -0.1, 1.1, 10**400, [0.5]])
def test_an_accuracy_that_is_none_is_left_out(accuracy: Any):
    value = lm_eval()
    value["results"]["mmlu_anatomy"] = {"acc,none": accuracy}
    assert [score.subset for score in parse_results(value).fine_tuned] == ["medical_genetics"]


@pytest.mark.parametrize("n", [None, 0, -5, 1.5, "many", 10**400])
def test_a_size_that_is_none_is_not_known(n: Any):
    value = lm_eval()
    value["n-samples"]["mmlu_medical_genetics"]["effective"] = n
    results = parse_results(value)
    assert results.fine_tuned[0].n is None
    assert results.pooled(results.fine_tuned) is None


@pytest.mark.parametrize(
    "value", [None, [], "x", {}, {"results": []}, {"results": {}}, {"results": {"hellaswag": {"acc": 1}}}]
)
def test_no_medical_subset_is_refused(value: Any):
    with pytest.raises(ValueError, match=r"results\.json"):
        parse_results(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["results", "base", "fine_tuned", "n-samples", "effective", "mmlu_anatomy", "acc,none", "acc"]
            ),
            inner,
        )
    ),
)


@given(anything)
def test_no_value_raises_anything_else(value: Any):
    try:
        results = parse_results(value)
    except ValueError:
        return
    assert results.fine_tuned
    results.pooled(results.fine_tuned)
    json.dumps([score.accuracy for score in results.fine_tuned], allow_nan=False)
