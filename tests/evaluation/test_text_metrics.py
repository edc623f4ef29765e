"""ROUGE is Google's, token F1 is SQuAD's, and what both hide is told beside them."""

from collections import Counter

import pytest
from rouge_score.rouge_scorer import RougeScorer

from medqa_core.evaluation.answer_metric import AnswerMetric
from medqa_core.evaluation.text_metrics import (
    RougeWords,
    answer_scores,
    empty_share,
    length_ratio,
    repetition,
    token_f1,
)
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, ROUGE
from tests.support.scripts import ANSWERS as ANSWERS_IN_SCRIPTS
from tests.support.scripts import without_end

ANSWERS = ["Gout is a painful arthritis.", "", "attacks attacking attacked", "…", "Gout is a kind of arthritis."]
REFERENCES = ["Gout is a kind of arthritis."] * 2 + ["The attack passes.", "Gout.", "Gout is a kind of arthritis."]
ONE_EACH = [[reference] for reference in REFERENCES]


def test_rouge_is_rouge_score_with_its_stemmer() -> None:
    found = answer_scores(ANSWERS, ONE_EACH)
    for name in ROUGE:
        for answer, reference, scores in zip(ANSWERS, REFERENCES, found, strict=True):
            expected = RougeScorer([name], use_stemmer=True).score(target=reference, prediction=answer)[name].fmeasure
            assert scores[name] == expected
    assert found[4] == dict.fromkeys(ANSWER_SCORES, 1.0)
    assert found[1] == found[3] == dict.fromkeys(ANSWER_SCORES, 0.0)
    assert found[2]["rouge1"] > 0  # by the stem alone
    assert found[2]["token_f1"] == 0


def test_the_best_reference_counts_metric_by_metric() -> None:
    several = answer_scores(["one two three"], [["one two", "three two one x", "z"]])[0]
    each = [answer_scores(["one two three"], [[r]])[0] for r in ("one two", "three two one x", "z")]
    assert several == {name: max(one[name] for one in each) for name in ANSWER_SCORES}
    assert several["rouge1"] == each[1]["rouge1"] > each[0]["rouge1"]
    assert several["rouge2"] == each[0]["rouge2"] > each[1]["rouge2"]


def test_token_f1_by_hand() -> None:
    # Said a b b c, wanted b c c d: in common b once and c once; 2 x 2 / (4 + 4).
    assert token_f1("a b b c", "B, c c d!") == 0.5
    assert token_f1("", "a") == token_f1("a", "b") == token_f1("", "") == 0


def test_token_f1_is_precision_and_recall() -> None:
    for answer, reference in zip(ANSWERS, REFERENCES, strict=True):
        said, wanted = (Counter(text.lower().rstrip(".").split()) - Counter(["…"]) for text in (answer, reference))
        same = (said & wanted).total()
        expected = 0.0
        if same:
            precision, recall = same / said.total(), same / wanted.total()
            expected = 2 * precision * recall / (precision + recall)
        assert token_f1(answer, reference) == pytest.approx(expected, abs=1e-15)


def test_a_missing_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        answer_scores(ANSWERS, ONE_EACH[:-1])


def test_a_repeated_run_of_words_is_counted() -> None:
    assert repetition("a b c d e f") == 0
    assert repetition("a b c d a b c d") == pytest.approx(1 / 5)
    assert repetition("no " * 23) == pytest.approx(19 / 20)
    assert repetition("a b c") == repetition("") == 0


def test_lengths_are_in_words_over_all_answers() -> None:
    assert length_ratio(["one two", "three"], ["one two three four", "five six"]) == 0.5
    assert length_ratio([""], [""]) == 0
    assert length_ratio([], []) == 0


def test_an_answer_without_a_word_is_empty() -> None:
    assert empty_share(["", " \n", "?!", "yes"]) == 0.75
    assert empty_share([]) == 0


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("references", [REFERENCES, ONE_EACH])
def test_the_same_scores_in_the_form_of_evaluate(references: list[str] | list[list[str]]) -> None:
    found = AnswerMetric(keep_in_memory=True).compute(predictions=ANSWERS, references=references)
    scores = answer_scores(ANSWERS, ONE_EACH)
    assert found == {name: pytest.approx(sum(one[name] for one in scores) / len(scores)) for name in ANSWER_SCORES}


@pytest.mark.parametrize("text", ANSWERS_IN_SCRIPTS.values(), ids=ANSWERS_IN_SCRIPTS)
def test_an_answer_like_its_reference_scores_one_in_any_script_and_one_with_another_end_less(text: str) -> None:
    same, other = answer_scores([text, without_end(text)], [[text], [text]])
    assert same == dict.fromkeys(ANSWER_SCORES, 1.0)
    assert all(0.4 < value < 1 for value in other.values())


def test_english_keeps_the_words_of_rouge_score_whatever_stands_between_them() -> None:
    texts = ["β-globin and TNFα, 5 µg/m² at 37°C", "Sjögren’s syndrome (“dry eyes”) – ¼ of naïve patients…", "İs İt K?"]
    for answer in texts:
        for reference in (*texts, "globin and tnf at 37 c", "sj gren s"):
            ours = answer_scores([answer], [[reference]])[0]
            theirs = RougeScorer(list(ROUGE), use_stemmer=True).score(reference, answer)
            assert [ours[name] for name in ROUGE] == [theirs[name].fmeasure for name in ROUGE]


def test_words_of_other_scripts_stand_between_those_of_rouge_score() -> None:
    tokens = RougeWords().tokenize("Treating 痛風 with アスピリン１００mg; подагра и гены β.")
    assert tokens == ["treat", *"痛風", "with", *"アスピリン", "100", "mg", "подагра", "и", "гены"]
