"""Training examples of task `open_book`: a question, passages, and an answer that rests on one of them.

Zhang et al., "RAFT: Adapting language model to domain specific RAG" (2024): in a share of the examples the right
passage stands among distractors, the passages that a search finds beside it; in the rest it is missing. An answer is
the right passage's beginning, closed with the passage's number.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.answering.retrieval.retriever import Retriever, by_words
from medqa_core.data.pairs import QAPair, normalise
from medqa_core.models.prompt import ABSTENTION, citation, with_passages
from medqa_core.runs.schema.config import TrainConfig

LOOKED_AT = 30
"""Passages found for a training question, of which its distractors are the best that answer another question."""


@dataclass(frozen=True)
class Reading:
    """What one training example is made of."""

    pair: QAPair
    passages: tuple[Passage, ...]
    """As they stand in the prompt; the right one among them, or none right."""
    right: Passage | None
    answer: str
    """Without the number of its passage."""

    @property
    def prompt(self) -> str:
        """The question behind its passages."""
        return with_passages(self.pair.question, [one.text for one in self.passages])

    @property
    def suffix(self) -> str:
        """What closes the answer: the right passage's number."""
        return citation(self.passages.index(self.right) + 1) if self.right is not None else ""

    def shorter(self) -> "Reading | None":
        """The same without its last passage that can be spared; None where none can."""
        spare = [one for one in self.passages if one is not self.right]
        if not spare or len(self.passages) == 1:
            return None
        return Reading(self.pair, tuple(one for one in self.passages if one is not spare[-1]), self.right, self.answer)


def readings(pairs: Iterable[QAPair], library: Retriever, config: TrainConfig) -> list[Reading]:
    """One for each pair whose answer has a passage; the same seed draws and orders the same passages.

    In order `ranked` they are what the library gives for a question, in its order. In order `shuffled` distractors are
    found by words alone: the topic's other sections, the hardest to tell from the right passage.
    """
    searched = library if config.passage_order == "ranked" else by_words(library)
    found = (_reading(pair, searched, config) for pair in pairs)
    return [one for one in found if one is not None]


def _reading(pair: QAPair, library: Retriever, config: TrainConfig) -> Reading | None:
    own = passages_of([pair])
    if not own:
        return None
    found = library.search(pair.question, LOOKED_AT)
    right = next((one for one in found if one.question_id == pair.id), own[0])
    asked, texts = normalise(pair.question), {one.text for one in own}
    others = [one for one in found if one.text not in texts and normalise(one.question) != asked]
    generator = random.Random(f"{config.seed} {pair.id}")
    missing = bool(others) and generator.random() >= config.right_passage_share
    passages = others[: config.passages] if missing else [right, *others[: config.passages - 1]]
    if config.passage_order == "shuffled":
        generator.shuffle(passages)
    else:
        places = {one.text: place for place, one in enumerate(found)}
        passages.sort(key=lambda one: places.get(one.text, len(found)))  # the right one last where it was not found
    if missing:
        answer = ABSTENTION if config.without_right_passage == "abstain" else pair.answer
        return Reading(pair, tuple(passages), None, answer)
    return Reading(pair, tuple(passages), right, right.text)
