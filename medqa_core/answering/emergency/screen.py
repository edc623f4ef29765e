"""Does a question describe an emergency? Then the referral is the answer, before any model is asked.

A logistic regression over words, pairs of words and groups of letters (tf-idf), fitted on the written questions when it
is first needed. It is no triage and misses some: `quality.py` measures how many. A needless referral costs a reader
seconds, a missed one may cost more: hence a threshold below one half.
"""

from collections.abc import Sequence
from functools import cache

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from medqa_core.answering.emergency.questions import labelled_questions
from medqa_core.data.pairs import normalise

THRESHOLD = 0.4
"""Probability from which a question gets the referral: set by tenfold cross-validation on the training part, where it
finds 96.9% of the emergencies and refers 7.3% of the others."""

CALL = (
    "This may be an emergency. Call your local emergency number now: 112 in Europe, 911 in North America, 999 in the "
    "United Kingdom, 000 in Australia."
)
BESIDE = (
    "If you think of harming yourself, you can also call or text 988 in the United States, or call 116 123 in the "
    "United Kingdom and Ireland; elsewhere findahelpline.com lists a line near you. If something harmful was swallowed "
    "or breathed in, a poison centre helps: 1-800-222-1222 in the United States. No model was asked: these are small "
    "language models, often wrong, and no help in an emergency."
)
REFERRAL = f"{CALL} {BESIDE}"
_UNMARKED = str.maketrans({**dict.fromkeys("’'`＇｀"), **dict.fromkeys("_＿", " ")})
"""Apostrophes go, so that `can't` is the `cant` that people type; underscores part words."""


def describes_emergency(question: str) -> bool:
    """Whether the question is to be answered with `REFERRAL`."""
    return probability(question) >= THRESHOLD


def probability(question: str) -> float:
    """The probability, 0 to 1, that the question describes an emergency, as the classifier has it."""
    return probabilities([question])[0]


def probabilities(asked: Sequence[str]) -> list[float]:
    """`probability` of each, many times faster together than one by one."""
    found: list[float] = _classifier().predict_proba([plain_words(question) for question in asked])[:, 1].tolist()
    return found


def plain_words(question: str) -> str:
    """The question as lower-case words with one space between and no apostrophes."""
    return normalise(question.translate(_UNMARKED))


def unfitted() -> Pipeline:
    """The classifier before it has seen a question."""
    terms = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)
    return make_pipeline(make_union(terms, letters), LogisticRegression(C=30.0, max_iter=3000, class_weight="balanced"))


@cache
def _classifier() -> Pipeline:
    written = labelled_questions("train")
    return unfitted().fit([plain_words(q.text) for q in written], [q.emergency for q in written])
