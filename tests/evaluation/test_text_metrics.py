"""ROUGE is Google's, and length is told beside it."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from medqa_core.evaluation.text_metrics import NAMES, empty_share, length_ratio, rouge_scores

ANSWERS = ["Gout is a painful arthritis.", "", "attacks attacking attacked", "…", "Gout is a kind of arthritis."]
REFERENCES = ["Gout is a kind of arthritis."] * 2 + ["The attack passes.", "Gout.", "Gout is a kind of arthritis."]


def test_rouge_is_rouge_score_with_its_stemmer() -> None:
    found = rouge_scores(ANSWERS, REFERENCES)
    for name in NAMES:
        for answer, reference, scores in zip(ANSWERS, REFERENCES, found, strict=True):
            expected = RougeScorer([name], use_stemmer=True).score(target=reference, prediction=answer)[name].fmeasure
            assert scores[name] == expected
    assert found[4] == {"rouge1": 1.0, "rouge2": 1.0, "rougeL": 1.0}
    assert found[1] == found[3] == {"rouge1": 0.0, "rouge2": 0.0, "rougeL": 0.0}
    assert found[2]["rouge1"] > 0  # by the stem alone


def test_a_missing_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        rouge_scores(ANSWERS, REFERENCES[:-1])


def test_lengths_are_in_words_over_all_answers() -> None:
    assert length_ratio(["one two", "three"], ["one two three four", "five six"]) == 0.5
    assert length_ratio([""], [""]) == 0
    assert length_ratio([], []) == 0


def test_an_answer_without_a_word_is_empty() -> None:
    assert empty_share(["", " \n", "?!", "yes"]) == 0.75
    assert empty_share([]) == 0
