"""The harness's results are read by subset, the answers as written; a damaged file is refused in one line."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medqa_core.foundation.errors import OutsideStore, UnreadableFile
from medqa_core.runs.artifacts.mmlu import (
    ANSWER_SCHEMA,
    ANSWERS,
    CLOZE_SCHEMA,
    ROW_LIMIT,
    SCHEMA,
    SUBSETS,
    accuracy,
    always_one_letter,
    at_chance,
    chance_of,
    chance_p,
    choices_by,
    letters,
    parse_results,
    read_answers,
    scored,
    write_answers,
)
from medqa_core.runs.run import Run
from tests.support.foreign_runs import lm_eval


def test_one_model() -> None:
    results = parse_results(lm_eval())
    assert results.base is None
    [score] = results.fine_tuned
    assert (score.subset, score.accuracy, score.n) == ("medical_genetics", 0.26, 100)
    assert score.stderr == pytest.approx(0.0440844)


def test_two_models() -> None:
    results = parse_results({"base": lm_eval(0.25), "fine_tuned": lm_eval(0.5)})
    assert results.base is not None
    assert results.base[0].accuracy == 0.25
    assert results.fine_tuned[0].accuracy == 0.5


def test_pooled_accuracy_weighs_by_questions() -> None:
    value = {
        "results": {"mmlu_anatomy": {"acc,none": 0.2}, "mmlu_college_medicine": {"acc,none": 0.5}},
        "n-samples": {"mmlu_anatomy": {"effective": 100}, "mmlu_college_medicine": {"effective": 50}},
    }
    results = parse_results(value)
    assert results.pooled(results.fine_tuned) == pytest.approx(0.3)
    del value["n-samples"]
    results = parse_results(value)
    assert results.pooled(results.fine_tuned) is None


def test_an_older_harness_s_names() -> None:
    value = {"results": {f"hendrycksTest-{s}": {"acc": 0.3, "acc_stderr": 0.01} for s in SUBSETS}}
    assert [score.subset for score in parse_results(value).fine_tuned] == sorted(SUBSETS)


def test_cloze_tasks() -> None:
    value = {"results": {f"mmlu_{s}_continuation": {"acc,none": 0.3} for s in SUBSETS}}
    assert [score.subset for score in parse_results(value).fine_tuned] == sorted(SUBSETS)


def test_a_subset_counts_once() -> None:
    value = {"results": {"mmlu_anatomy": {"acc,none": 0.2}, "mmlu_flan_anatomy": {"acc,none": 0.9}}}
    assert [score.accuracy for score in parse_results(value).fine_tuned] == [0.2]


@pytest.mark.parametrize("accuracy", [None, "N/A", True, math.nan, math.inf, -0.1, 1.1, 10**400, [0.5]])
def test_an_accuracy_that_is_none_is_left_out(accuracy: Any) -> None:
    value = lm_eval()
    value["results"]["mmlu_anatomy"] = {"acc,none": accuracy}
    assert [score.subset for score in parse_results(value).fine_tuned] == ["medical_genetics"]


@pytest.mark.parametrize("n", [None, 0, -5, 1.5, "many", 10**400])
def test_a_size_that_is_none_is_not_known(n: Any) -> None:
    value = lm_eval()
    value["n-samples"]["mmlu_medical_genetics"]["effective"] = n
    results = parse_results(value)
    assert results.fine_tuned[0].n is None
    assert results.pooled(results.fine_tuned) is None


@pytest.mark.parametrize(
    "value", [None, [], "x", {}, {"results": []}, {"results": {}}, {"results": {"hellaswag": {"acc": 1}}}]
)
def test_no_medical_subset_is_refused(value: Any) -> None:
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
def test_no_value_raises_anything_else(value: Any) -> None:
    try:
        results = parse_results(value)
    except ValueError:
        return
    assert results.fine_tuned
    results.pooled(results.fine_tuned)
    json.dumps([score.accuracy for score in results.fine_tuned], allow_nan=False)


def answers(n: int = 6) -> pd.DataFrame:
    """Rows of answers.parquet: the base answers A always, the fine-tuned model B except for one D."""
    rows = pd.DataFrame({"subset": ["anatomy"] * n, "question": range(n), "target": [0, 1, 1, 2, 3, 1][:n]})
    for variant, choices in (("base", [0] * n), ("fine_tuned", [1, 1, 1, 1, 1, 3][:n])):
        rows[f"{variant}_choice"] = choices
        for place, letter in enumerate("abcd"):
            rows[f"{variant}_logprob_{letter}"] = -1.5 - place
    return rows


def _write(folder: Path, table: pa.Table) -> None:
    (folder / ANSWERS).parent.mkdir(exist_ok=True)
    pq.write_table(table, folder / ANSWERS)


def test_answers_come_back(tmp_path: Path) -> None:
    rows = answers()
    rows.loc[2, "base_logprob_c"] = np.nan
    write_answers(tmp_path, rows[sorted(rows.columns)])
    read = read_answers(tmp_path)
    assert list(read.columns) == SCHEMA.names
    pd.testing.assert_frame_equal(read[ANSWER_SCHEMA.names], rows[ANSWER_SCHEMA.names], check_dtype=False)
    assert read[CLOZE_SCHEMA.names].isna().all(axis=None)  # the texts were not asked for
    table = pq.read_table(tmp_path / ANSWERS).select(ANSWER_SCHEMA.names)
    assert sum(column.null_count for column in table.columns) == 0  # a NaN stays one


def test_a_file_of_0_2_has_no_texts(tmp_path: Path) -> None:
    _write(tmp_path, pa.table({name: answers()[name].tolist() for name in ANSWER_SCHEMA.names}))
    read = read_answers(tmp_path)
    assert list(read.columns) == SCHEMA.names and read["bytes_a"].isna().all()
    assert np.isnan(choices_by(read, "base", "acc_bytes")).all()


def asked(nats: list[list[float]], target: list[int]) -> pd.DataFrame:
    """Rows whose letters have these log-likelihoods for both models."""
    rows = pd.DataFrame({"subset": "anatomy", "question": range(len(nats)), "target": target})
    for variant in ("base", "fine_tuned"):
        for place, letter in enumerate("abcd"):
            rows[f"{variant}_logprob_{letter}"] = [row[place] for row in nats]
    return scored(rows, "letter")


def test_calibration_takes_a_favourite_letter_out() -> None:
    """A is always likeliest; each question's right letter stands half a nat above what it is elsewhere."""
    favour = np.array([5.0, 0.0, -1.0, -2.0])
    right = [0, 1, 2, 3] * 10
    rows = asked([(favour + 0.5 * (np.arange(4) == place)).tolist() for place in right], right)
    assert letters(rows, "base") == (40, 0, 0, 0) and accuracy(rows, "base") == 0.25
    calibrated = scored(rows, "calibrated")
    assert accuracy(calibrated, "base") == 1.0
    assert at_chance(rows) and not at_chance(calibrated)


def test_a_question_without_finite_likelihoods_is_left_out_of_the_means() -> None:
    rows = asked([[0.0, -1.0, -1.0, -1.0], [math.nan, 0, 0, 0], [0.0, -2.0, -0.5, -1.0]], [0, 0, 2])
    assert rows["base_choice"].isna().tolist() == [False, True, False]
    assert scored(rows, "calibrated")["base_choice"].tolist()[::2] == [1.0, 2.0]
    empty = rows.assign(**{f"base_logprob_{letter}": math.nan for letter in "abcd"})
    assert scored(empty, "calibrated")["base_choice"].isna().all()


def test_a_long_text_is_not_at_a_disadvantage() -> None:
    rows = asked([[0.0] * 4], [1])
    for variant in ("base", "fine_tuned"):
        for letter, nats in zip("abcd", (-4.0, -6.0, -9.0, -9.0), strict=True):
            rows[f"{variant}_cloze_{letter}"] = nats
    for letter, size in zip("abcd", (4, 12, 9, 9), strict=True):
        rows[f"bytes_{letter}"] = size
    assert scored(rows, "cloze")["base_choice"].tolist() == [1.0]


def test_one_letter_every_time_is_chance_however_often_it_is_right() -> None:
    """D is right in half of 400 questions: saying it always is far above a quarter, and knows nothing."""
    target = [3] * 200 + [0, 1, 2, 0] * 50
    rows = asked([[0.0, 0.0, 0.0, 1.0]] * 400, target)
    assert accuracy(rows, "base") == chance_of(rows, "base") == 0.5
    assert chance_p(rows, "base") > 0.4 and at_chance(rows)
    knows = rows.assign(base_choice=[0] * 50 + [3] * 150 + [0, 1, 2, 3] * 50)
    assert chance_p(knows, "base") < 0.001 and not at_chance(knows)
    none = rows.assign(base_choice=math.nan)
    assert (chance_p(none, "base"), chance_of(none, "base")) == (1.0, 0.25)


def test_the_metric_that_was_judged_is_read() -> None:
    tasks = {
        "mmlu_anatomy": {"acc,none": 0.2, "acc_calibrated,none": 0.3, "acc_calibrated_stderr,none": 0.01},
        "mmlu_anatomy_continuation": {"acc,none": 0.25, "acc_bytes,none": 0.4},
    }
    for metric, scoring, expected in (
        ("acc", "letter", 0.2), ("acc_calibrated", "calibrated", 0.3), ("acc_bytes", "cloze", 0.4),
    ):  # fmt: skip
        value = {"results": tasks, "config": {"metric": metric}}
        results = parse_results({"base": value, "fine_tuned": value})
        assert (results.scoring, results.metric, results.letters) == (scoring, metric, True)
        assert [score.accuracy for score in results.fine_tuned] == [expected]
        assert results.protocol.per_byte == (metric == "acc_bytes")
    strange: list[Any] = [None, [], {"metric": "acc_norm"}, {"metric": ["acc"]}, {"model_args": 3}]
    for config in strange:
        older = parse_results({"results": {"mmlu_anatomy_continuation": {"acc,none": 0.25}}, "config": config})
        assert (older.scoring, older.metric, older.letters) == ("cloze", "acc", False)


def test_what_answers_tell() -> None:
    rows = answers()
    assert letters(rows, "base") == (6, 0, 0, 0)
    assert letters(rows, "fine_tuned") == (0, 5, 0, 1)
    assert always_one_letter(rows) == 0.5
    assert accuracy(rows, "base") == pytest.approx(1 / 6)
    assert accuracy(rows, "fine_tuned") == pytest.approx(2 / 6)


def test_no_answers_tell_nothing(tmp_path: Path) -> None:
    write_answers(tmp_path, answers(0))
    read = read_answers(tmp_path)
    assert letters(read, "base") == (0, 0, 0, 0)
    assert (always_one_letter(read), accuracy(read, "base")) == (0.0, 0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"base_choice": [4] * 6},
        {"target": [-1] * 6},
        {"fine_tuned_choice": [0.5] * 6},
        {"subset": [None] * 6},
        {"question": ["first"] * 6},
        {"base_logprob_a": ["x"] * 6},
        {"base_logprob_a": [[1.0]] * 6},
    ],
)
def test_answers_that_are_none_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    _write(tmp_path, pa.table({name: changes.get(name, answers()[name].tolist()) for name in ANSWER_SCHEMA.names}))
    with pytest.raises(UnreadableFile, match=r"answers\.parquet"):
        read_answers(tmp_path)


def test_a_choice_that_was_not_made_counts_for_no_letter(tmp_path: Path) -> None:
    write_answers(tmp_path, answers().assign(fine_tuned_choice=[0.0, float("nan"), 1.0, 1.0, float("nan"), 3.0]))
    read = read_answers(tmp_path)
    assert read["fine_tuned_choice"].isna().sum() == 2
    assert letters(read, "fine_tuned") == (1, 2, 0, 1)


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, pa.table({"subset": ["anatomy"], "question": [0]}))
    with pytest.raises(UnreadableFile, match="has no column"):
        read_answers(tmp_path)


def test_damage_anywhere_raises_nothing_else(tmp_path: Path) -> None:
    write_answers(tmp_path, answers())
    path = tmp_path / ANSWERS
    whole = path.read_bytes()
    for n in range(0, len(whole), max(1, len(whole) // 60)):
        for damaged in (whole[:n], whole[:n] + bytes([whole[n] ^ 0x55]) + whole[n + 1 :]):
            path.write_bytes(damaged)
            try:
                read = read_answers(tmp_path)
            except UnreadableFile as error:
                assert "\n" not in str(error)
            else:
                letters(read, "base")
                always_one_letter(read)


def test_too_many_rows_and_too_large(tmp_path: Path) -> None:
    repeated = pa.array(["a"] * (ROW_LIMIT + 1)).dictionary_encode()
    _write(tmp_path, pa.table({"subset": repeated}))
    with pytest.raises(UnreadableFile, match="more than 20000 rows"):
        read_answers(tmp_path)
    with open(tmp_path / ANSWERS, "wb") as file:
        file.truncate(2**30)
    with pytest.raises(UnreadableFile, match="larger than 16 MiB"):
        read_answers(tmp_path)


def test_missing_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="is missing"):
        read_answers(tmp_path)
    (tmp_path / ANSWERS).parent.mkdir()
    os.mkfifo(tmp_path / ANSWERS)
    with pytest.raises(UnreadableFile):
        read_answers(tmp_path)


def test_a_link_out_of_the_run_is_refused(tmp_path: Path) -> None:
    write_answers(tmp_path / "other", answers())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mmlu_results").symlink_to(tmp_path / "other" / "mmlu_results")
    with pytest.raises(OutsideStore):
        read_answers(tmp_path / "run")


def test_a_run_s_answers(run: Run) -> None:
    assert run.mmlu_answers() is None
    assert run.snapshot().problems == ()
    write_answers(run.folder, answers())
    assert run.mmlu_answers() is not None
    (run.folder / ANSWERS).write_bytes(b"no")
    assert run.mmlu_answers() is None
    assert run.snapshot().problems == ("answers.parquet is damaged or has columns of another kind.",)
