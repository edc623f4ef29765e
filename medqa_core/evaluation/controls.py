"""Answers without a model, made from training data alone: what a figure is worth is what it has over them.

* template answer: the most typical training answer of the question's pattern (the question with its topic's name taken
  out), with the topic's name pasted in; where no training question has that pattern, of its type, else of all;
* nearest answer: the answer to the training question that BM25 finds first.

Typical is the answer that shares most words with the others of its pattern: the medoid under Dice's coefficient of
their sets of words, topics masked. It is cut, as the nearest answer is, to about as many words as a model may write.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import bm25s
import numpy as np
import scipy.sparse

from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.data.pairs import QAPair
from medqa_core.data.patterns import pattern
from medqa_core.data.patterns import with_topic as pasted
from medqa_core.data.split import Split
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.runs.schema.evaluation import ControlName, ControlsProtocol

WORDS_PER_TOKEN = 5 / 8
"""English words that a token makes, about: an answer of 128 tokens has 80 words."""
ENOUGH = 5
"""Training answers of one pattern, from which one of them counts as typical."""
MOST = 1_500
"""Training answers of one pattern that are compared, the first by id: every one with every other."""
METHOD = f"BM25 (bm25s {bm25s.__version__}) over the training questions"
FROM_TRAINING: tuple[ControlName, ...] = ("template_answer", "nearest_answer")
"""Controls that every run has."""


@dataclass(frozen=True)
class ControlAnswers:
    """One control's answers to the test questions; where there is nothing to answer from, they are empty texts."""

    texts: list[str]
    ids: list[str | None]
    """The training question whose answer each of them is."""


def control_answers(parts: Split, most_words: int) -> dict[ControlName, ControlAnswers]:
    """The answers of FROM_TRAINING to the test questions, the same on every machine; none without training data.

    Args:
        parts: the run's split.
        most_words: where an answer is cut.
    """
    if not parts.train:
        return {}
    return {
        "template_answer": _template_answers(parts, most_words),
        "nearest_answer": _nearest_answers(parts, most_words),
    }


def top_passages(found: Sequence[Sequence[Passage]], words: int) -> ControlAnswers:
    """The passage that was found first for each question, cut to `words` words; empty where none was."""
    first = [few[0] if few else None for few in found]
    texts = ["" if one is None else cut(one.text, words) for one in first]
    return ControlAnswers(texts, [None if one is None else one.question_id for one in first])


def control_columns(
    answers: ControlAnswers, questions: Sequence[QAPair], references: Sequence[tuple[str, ...]], content: Content
) -> dict[str, list[Any]]:
    """What a run keeps of a control, by name: its scores, its words, and where its answers are from, not its texts."""
    scores = answer_scores(answers.texts, references)
    own = content.columns(answers.texts, questions, references)
    return {
        **{name: [one[name] for one in scores] for name in (scores[0] if scores else ())},
        **{name: values for name, values in own.items() if not name.endswith(("_stated", "_right"))},
        "id": list(answers.ids),
    }


def most_words(max_new_tokens: int) -> int:
    """Words that a model's answer has room for, about."""
    return max(1, int(max_new_tokens * WORDS_PER_TOKEN))


def controls_protocol(parts: Split, words: int) -> ControlsProtocol:
    """How they were made."""
    return ControlsProtocol(most_words=words, patterns=len(_by_pattern(parts.train)), method=METHOD)


def cut(text: str, words: int) -> str:
    """The first `words` words of `text`, on one line."""
    return " ".join(text.split()[:words])


def _template_answers(parts: Split, words: int) -> ControlAnswers:
    typical = {key: _typical(members, words) for key, members in _by_pattern(parts.train).items()}
    by_type = {kind: _typical(members, words) for kind, members in _by_type(parts.train).items()}
    usual = _typical(parts.train, words)
    chosen = [
        typical.get(pattern(question.question, question.topic)) or by_type.get(question.question_type) or usual
        for question in parts.test
    ]
    texts = [
        pasted(cut(found.answer, words), found.topic, question.topic)
        for found, question in zip(chosen, parts.test, strict=True)
    ]
    return ControlAnswers(texts, [found.id for found in chosen])


def _nearest_answers(parts: Split, words: int) -> ControlAnswers:
    index = BM25([Passage("", "", pair.question, pair.id, pair.source, None) for pair in parts.train])
    known = {pair.id: pair for pair in parts.train}
    found = [index.search(question.question, 1) for question in parts.test]
    ids = [few[0].question_id if few else None for few in found]
    return ControlAnswers([cut(known[id_].answer, words) if id_ else "" for id_ in ids], ids)


def _by_pattern(pairs: Iterable[QAPair]) -> dict[str, list[QAPair]]:
    """Training pairs by pattern, those patterns of which one answer can be typical."""
    found: dict[str, list[QAPair]] = defaultdict(list)
    for pair in pairs:
        found[pattern(pair.question, pair.topic)].append(pair)
    return {key: members for key, members in found.items() if len(members) >= ENOUGH}


def _by_type(pairs: Iterable[QAPair]) -> dict[str, list[QAPair]]:
    found: dict[str, list[QAPair]] = defaultdict(list)
    for pair in pairs:
        found[pair.question_type].append(pair)
    return found


def _typical(pairs: Sequence[QAPair], words: int) -> QAPair:
    """The medoid of their answers; the first by id of equals."""
    members = sorted(pairs, key=lambda pair: pair.id)[:MOST]
    known: dict[str, int] = {}
    places: list[int] = []
    ends = [0]
    for pair in members:
        said = set(pattern(cut(pair.answer, words), pair.topic).split())
        places += [known.setdefault(word, len(known)) for word in sorted(said)]
        ends.append(len(places))
    held = scipy.sparse.csr_matrix((np.ones(len(places)), places, ends), shape=(len(members), max(1, len(known))))
    sizes = np.diff(np.array(ends, dtype=np.float64))
    shared = (held @ held.T).toarray()
    alike = 2 * shared / np.maximum(1, sizes[:, None] + sizes[None, :])
    np.fill_diagonal(alike, 0)
    return members[int(alike.sum(1).argmax())]
