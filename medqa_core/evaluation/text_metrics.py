"""ROUGE-1, ROUGE-2 and ROUGE-L of one answer against its reference, by Google's `rouge_score`.

Lin, "ROUGE: a package for automatic evaluation of summaries" (2004). F-measure, with Porter stemming, which is what
`evaluate.load("rouge")` computes by default plus the stemmer; computed here without asking a hub for the script.
"""

from collections.abc import Sequence

from rouge_score.rouge_scorer import RougeScorer

from medqa_core.data.pairs import words

NAMES = ("rouge1", "rouge2", "rougeL")


def rouge_scores(answers: Sequence[str], references: Sequence[str]) -> list[dict[str, float]]:
    """F-measure by name for each answer, 0 to 1."""
    scorer = RougeScorer(list(NAMES), use_stemmer=True)
    return [
        {name: float(score.fmeasure) for name, score in scorer.score(reference, answer).items()}
        for answer, reference in zip(answers, references, strict=True)
    ]


def length_ratio(answers: Sequence[str], references: Sequence[str]) -> float:
    """Words in all answers over words in all references."""
    wanted = sum(len(words(reference)) for reference in references)
    return sum(len(words(answer)) for answer in answers) / wanted if wanted else 0.0


def empty_share(answers: Sequence[str]) -> float:
    """Share of answers without a word."""
    return sum(not words(answer) for answer in answers) / len(answers) if answers else 0.0
