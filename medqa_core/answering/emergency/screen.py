"""Does a question describe an emergency? Then the referral is the answer, before any model is asked.

A logistic regression over words, pairs of words and groups of letters (tf-idf), fitted on the written questions when it
is first needed. It is no triage and misses some: `quality.py` measures how many. A needless referral costs a reader
seconds, a missed one may cost more: hence a threshold below one half. It knows the words of six languages; what is
written in another is not judged, and `is_covered` tells so.
"""

from collections.abc import Sequence
from functools import cache

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline, make_union

from medqa_core.answering.emergency.questions import labelled_questions
from medqa_core.data.pairs import normalise

THRESHOLD = 0.35
"""Probability from which a question gets the referral: the lowest, in steps of 0.05, that refers at most a tenth of the
others in tenfold cross-validation on the training part (9.7%, and 88.9% of the emergencies found, bare terms included
that stand in no other fold)."""

SEEN = 1 / 3
"""Share of a question's words that the classifier must have seen, above which it is taken to cover the language."""

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
NOT_COVERED = (
    "Emergencies are recognised in English, Spanish, French, German, Portuguese and Chinese; this question seems to be "
    "in none of them, and the models were trained on English. If this is an emergency, call your local emergency "
    "number now: 112 in Europe, 911 in North America, 999 in the United Kingdom, 000 in Australia."
)
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
    found: list[float] = _classifier().predict_proba([_with_ends(question) for question in asked])[:, 1].tolist()
    return found


def is_covered(question: str) -> bool:
    """Whether the classifier has seen enough of the question's words to judge it: false for most other languages.

    One or two unknown words may be a rare disease: they count as covered where any of their letter groups is known.
    """
    words = plain_words(question).split()
    terms, letters = (vectoriser for _, vectoriser in _classifier()[0].transformer_list)
    if len(words) < 3:
        return bool(letters.transform([" ".join(words)]).nnz)
    return sum(word in terms.vocabulary_ for word in words) > SEEN * len(words)


def plain_words(question: str) -> str:
    """The question as lower-case words with one space between and no apostrophes."""
    return normalise(question.translate(_UNMARKED))


def _with_ends(question: str) -> str:
    """The words between two marks, so that a term that stands alone differs from the same term in a sentence."""
    return f"^ {plain_words(question)} $"


def unfitted() -> Pipeline:
    """The classifier before it has seen a question."""
    terms = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)
    return make_pipeline(make_union(terms, letters), LogisticRegression(C=30.0, max_iter=3000, class_weight="balanced"))


@cache
def _classifier() -> Pipeline:
    written = labelled_questions("train")
    return unfitted().fit([_with_ends(q.text) for q in written], [q.emergency for q in written])
