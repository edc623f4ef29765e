"""A conversation: what was asked, and what each column answered, turn by turn."""

from dataclasses import dataclass, field

from medqa_core.answering.compare import Answer, Answers, Column, Earlier
from medqa_core.answering.sources import WITH_SOURCES_VARIANT
from medqa_core.models.prompt import Turn
from medqa_core.models.variants import VARIANTS

MOST_KEPT = 24
"""Turns that are remembered; what stands in a prompt is fewer."""
COLUMNS: tuple[Column, ...] = (*VARIANTS, "with_sources")


@dataclass(frozen=True)
class Conversation:
    """The turns so far, with one run's models."""

    run: str
    turns: Earlier = field(default_factory=dict)
    """Each column has as many: one that was not asked stands by what its weights answered without sources."""

    def after(self, question: str, answers: Answers) -> "Conversation":
        """With one turn more; unchanged where a model gave no answer, or where the models take one question only."""
        said = {column: _answer(answers, column) for column in COLUMNS}
        if any(one is None or one.provenance.prompt == "plain" for one in said.values()):
            return self
        added = {column: Turn(question, one.text) for column, one in said.items() if one is not None}
        turns = {column: (*self.turns.get(column, ()), turn)[-MOST_KEPT:] for column, turn in added.items()}
        return Conversation(self.run, turns)


def _answer(answers: Answers, column: Column) -> Answer | None:
    """What a column answered; the third one's weights where it was not asked, found no passage or did not begin."""
    found = answers.by_column.get(column)
    # What was cut off before its first word is no answer; nothing, where the model ended it, is one.
    if found is not None and found.finish_reason != "no_passage" and (found.text or found.finish_reason != "cancelled"):
        return found
    return _answer(answers, WITH_SOURCES_VARIANT) if column == "with_sources" else None
