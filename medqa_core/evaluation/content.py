"""Answers against references outside of templates: is it what they say about their topic that agrees, or their form?

* ROUGE-L and token F1 outside templates: those of `text_metrics`, on the words that are neither template text nor the
  question's own (nor its topic's).
* Content F1: token F1 on the same words without function words.
* Specifics: see `specifics`.

Templates are learnt from all answers of the data set: what makes a form letter is known the better, the more letters
are read. A question of which no reference has such words is not counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from medqa_core.data.function_words import function_words, language_of
from medqa_core.data.pairs import QAPair
from medqa_core.data.support import supported
from medqa_core.data.templates import RUN, TOPICS, Templates
from medqa_core.data.words import word_spans, words
from medqa_core.evaluation.specifics import Specifics, Stated, specifics, specifics_f1
from medqa_core.evaluation.text_metrics import answer_scores, token_f1
from medqa_core.runs.schema.evaluation import ContentProtocol, MetricName, SpecificKind

CONTENT: tuple[MetricName, ...] = ("rougeL_outside_templates", "token_f1_outside_templates", "content_f1", "specifics")
"""Scores of answers that are about what stands outside templates."""
KINDS: tuple[SpecificKind, ...] = get_args(SpecificKind)


@dataclass(frozen=True)
class Content:
    """What is template and what a function word, in one data set."""

    templates: Templates
    language: str | None
    """Whose function words are left out."""
    _known: dict[tuple[str, str], "_Outside"] = field(default_factory=dict, repr=False, compare=False)
    """References by question and text: each column of answers is scored against the same."""

    @classmethod
    def of(cls, pairs: Sequence[QAPair]) -> "Content":
        """Learnt from the answers of `pairs`, all of the data set."""
        return cls(Templates.learn(pairs), language_of(pair.answer for pair in pairs))

    @property
    def protocol(self) -> ContentProtocol:
        """How it was learnt."""
        return ContentProtocol(words=RUN, topics=TOPICS, templates=bool(self.templates), language=self.language)

    def columns(
        self,
        answers: Sequence[str],
        questions: Sequence[QAPair],
        references: Sequence[tuple[str, ...]],
        passages: Sequence[Sequence[str]] = (),
    ) -> dict[str, list[Any]]:
        """The scores of CONTENT, words, and specifics of a column of answers, by name; NaN where none is defined.

        Where passages were read, also how much of each answer they support (`data.support.supported`).

        Args:
            answers: one for each question.
            questions: the test questions.
            references: of each question, its own answer first.
            passages: texts that were read before answering, for each question; none were where it is empty.
        """
        read: Sequence[Sequence[str] | None] = passages or [None] * len(questions)
        rows = [self._row(*one) for one in zip(answers, questions, references, read, strict=True)]
        return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

    def masked_words(self, text: str, topic: str) -> tuple[int, int]:
        """Words of a text, and how many of them lie in templates."""
        mask = self.templates.mask(text, topic)
        return len(mask), sum(mask)

    def _row(
        self, answer: str, question: QAPair, references: tuple[str, ...], passages: Sequence[str] | None
    ) -> dict[str, Any]:
        theirs = [self._reference(text, question) for text in references]
        ours = self._outside(answer, question)
        outside = [" ".join(one.words) for one in theirs if one.words]
        scores = answer_scores([" ".join(ours.words)], [outside])[0] if outside else {}
        plain = " ".join(self._content(ours.words))
        content = [" ".join(left) for one in theirs if (left := self._content(one.words))]
        bearing = [Stated(text) for text in references]
        said = Stated(answer)
        agreeing = [
            specifics_f1(ours.specifics, said, one.specifics, text) for one, text in zip(theirs, bearing, strict=True)
        ]
        total, masked = self.masked_words(answer, question.topic)
        return {
            "rougeL_outside_templates": scores.get("rougeL", np.nan),
            "token_f1_outside_templates": scores.get("token_f1", np.nan),
            "content_f1": max((token_f1(plain, one) for one in content), default=np.nan),
            "specifics": max((one for one in agreeing if one is not None), default=np.nan),
            "words": total,
            "template_words": masked,
            **_counts(ours.specifics, bearing, passages),
            **({} if passages is None else {"supported": self._supported(answer, question, passages)}),
        }

    def _supported(self, answer: str, question: QAPair, passages: Sequence[str]) -> float:
        share = supported(answer, question.question, passages, self.language)
        return np.nan if share is None else share

    def _reference(self, text: str, question: QAPair) -> "_Outside":
        key = (question.id, text)
        if key not in self._known:
            self._known[key] = self._outside(text, question)
        return self._known[key]

    def _outside(self, text: str, question: QAPair) -> "_Outside":
        """The words of `text` that are neither template nor the question's, and the specifics among them."""
        own = {*words(question.question), *words(question.topic)}
        tokens = words(text)
        left_out = [
            masked or token in own
            for token, masked in zip(tokens, self.templates.mask(text, question.topic), strict=True)
        ]
        spans = word_spans(text)

        def ignored(start: int, end: int) -> bool:
            inside = [out for out, (first, last) in zip(left_out, spans, strict=True) if first < end and start < last]
            return all(inside)

        kept = [token for token, out in zip(tokens, left_out, strict=True) if not out]
        return _Outside(kept, specifics(text, ignored))

    def _content(self, tokens: Iterable[str]) -> list[str]:
        return [token for token in tokens if token not in function_words(self.language)]


@dataclass(frozen=True)
class _Outside:
    words: list[str]
    specifics: Specifics


def _counts(ours: Specifics, references: Sequence[Stated], passages: Sequence[str] | None) -> dict[str, int]:
    """How many specifics of each kind are stated, and how many stand in any reference, and in the passages."""
    read = [Stated(text) for text in passages or ()]
    found: dict[str, int] = {}
    for kind in KINDS:
        found[f"{kind}_stated"] = len(ours[kind])
        found[f"{kind}_right"] = len({hit for text in references for hit in text.bears_out(kind, ours[kind])})
        if passages is not None:
            found[f"{kind}_in_passages"] = len({hit for text in read for hit in text.bears_out(kind, ours[kind])})
    return found


def token_mask(text: str, mask: Sequence[bool], ends: Sequence[int]) -> list[bool]:
    """For each token of `text` whether it is template: as the word that holds its last character or stands before it.

    Args:
        text: the text that the tokens spell.
        mask: of its words.
        ends: where each token ends, in characters.
    """
    starts = np.array([start for start, _ in word_spans(text)])
    if not len(starts):
        return [False] * len(ends)
    places = np.searchsorted(starts, np.maximum(np.array(ends, dtype=np.int64) - 1, 0), "right") - 1
    return [bool(mask[max(place, 0)]) for place in places]
