"""How an answer compares with its references, word for word: ROUGE, token F1, and what they hide.

* ROUGE-1, ROUGE-2, ROUGE-L: Lin, "ROUGE: a package for automatic evaluation of summaries" (2004); F-measure by Google's
  `rouge_score`, with Porter stemming (what `evaluate.load("rouge", use_stemmer=True)` computes from a hub's script). It
  knows the words of a to z and 0 to 9 alone; words of other scripts are added to them as `data.words` cuts them.
* Token F1: Rajpurkar et al., "SQuAD: 100,000+ questions for machine comprehension of text" (2016), section 6.1, on
  words in lower case without punctuation.
* Repetition: the share of 4-grams that occurred before in the same text; Welleck et al., "Neural text generation with
  unlikelihood training" (2020), seq-rep-4.

Where a question has several references, an answer's score is its best one, metric by metric.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import regex
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenize import tokenize
from rouge_score.tokenizers import Tokenizer

from medqa_core.data.words import words
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, ROUGE

REPEATED = 4
"""Words in a row that count as a repetition."""

_LETTER = r"[[\p{L}--[\p{Latin}\p{Common}]][\p{Nd}--[0-9]][ー０-９Ａ-Ｚａ-ｚ]]"
_OTHER_SCRIPTS = regex.compile(rf"(?V1){_LETTER}(?:{_LETTER}|[\p{{Mn}}\p{{Mc}}\u0640\u200c\u200d])*")
_SYMBOL = regex.compile(r"\p{Greek}")


class _Stems:
    """Porter's stemmer as rouge_score has it, which takes most of ROUGE's time; each word is stemmed once."""

    stem = staticmethod(lru_cache(maxsize=100_000)(PorterStemmer().stem))


def _english(text: str) -> list[str]:
    found: list[str] = tokenize(text, _Stems)
    return found


class RougeWords(Tokenizer):  # type: ignore[misc]  # rouge_score has no types
    """The words that ROUGE compares: those of rouge_score with stemming, unchanged, and those of other scripts.

    What stands in English texts without being English stays as rouge_score has it, so that figures can be compared with
    published ones: accented Latin letters and single Greek letters (β) separate words.
    """

    def tokenize(self, text: str) -> list[str]:
        """The words of `text` in their order."""
        found: list[str] = []
        start, lower = 0, text.lower()
        for other in () if text.isascii() else _OTHER_SCRIPTS.finditer(lower):
            found += _english(lower[start : other.start()])
            found += [word for word in words(other.group()) if not _SYMBOL.fullmatch(word)]
            start = other.end()
        return [*found, *_english(lower[start:])]


def answer_scores(answers: Sequence[str], references: Sequence[Sequence[str]]) -> list[dict[str, float]]:
    """The scores of ANSWER_SCORES for each answer, 0 to 1: of its references the best, metric by metric.

    Raises:
        ValueError: not as many lists of references as answers, or one of them is empty.
    """
    scorer = RougeScorer(list(ROUGE), tokenizer=RougeWords())
    scores = []
    for answer, known in zip(answers, references, strict=True):
        rouge = scorer.score_multi(known, answer)
        best: dict[str, float] = {name: float(rouge[name].fmeasure) for name in ROUGE}
        scores.append({**best, "token_f1": max(token_f1(answer, reference) for reference in known)})
    return scores


def used_reference(name: str, answer: str, references: Sequence[str]) -> int | None:
    """The place of the reference that gives the answer its score `name`, the first of equals.

    None for a score that is not one of ANSWER_SCORES.
    """
    if name not in ANSWER_SCORES:
        return None
    if name == "token_f1":
        found = [token_f1(answer, reference) for reference in references]
    else:
        scorer = RougeScorer([name], tokenizer=RougeWords())
        found = [float(scorer.score(reference, answer)[name].fmeasure) for reference in references]
    return found.index(max(found))


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the share of the answer's words in the reference and the reverse, each as often as it occurs."""
    said, wanted = words(answer), words(reference)
    same = sum((Counter(said) & Counter(wanted)).values())
    return 2 * same / (len(said) + len(wanted)) if same else 0.0


def repetition(answer: str) -> float:
    """The share of an answer's 4-grams that it had used before; 0 for one of fewer than five words."""
    said = words(answer)
    grams = [tuple(said[i : i + REPEATED]) for i in range(len(said) - REPEATED + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def length_ratio(answers: Sequence[str], references: Sequence[str]) -> float:
    """Words in all answers over words in all references."""
    wanted = sum(len(words(reference)) for reference in references)
    return sum(len(words(answer)) for answer in answers) / wanted if wanted else 0.0


def empty_share(answers: Sequence[str]) -> float:
    """Share of answers without a word."""
    return sum(not words(answer) for answer in answers) / len(answers) if answers else 0.0
