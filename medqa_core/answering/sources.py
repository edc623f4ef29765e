"""What the answers with sources read first: where it is looked for, what is found, and how much of it fits."""

from collections.abc import Sequence
from dataclasses import dataclass

from medqa_core.answering.question import Question
from medqa_core.answering.retrieval import topics
from medqa_core.answering.retrieval.library import Kind, library_for
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt, with_passages
from medqa_core.models.variants import ModelVariants, Variant
from medqa_core.runs.run import Run

WITH_SOURCES_VARIANT: Variant = "fine_tuned"
"""Chosen on validation questions: docs/decisions/0014."""
PASSAGES = 3
"""Given with a question, fewer where fewer fit."""


@dataclass(frozen=True)
class Searched:
    """Where passages were looked for, and how well the best of them fits."""

    kind: Kind
    title: str
    passages: int
    """In the library."""
    method: str
    match: float
    """See Retriever; 0 where nothing was found at all."""
    least_match: float
    """Less counts as nothing found; smaller where the question names the topic of a passage."""
    left_out: tuple[str, ...] = ()
    """See PassageLibrary."""
    before: str = ""
    """The question before this one, which a follow-up was looked up together with."""
    on_topic: bool | None = None
    """Whether the question names the topic of a passage that was found; None where they stand under none."""

    @property
    def enough(self) -> bool:
        """Whether what was found may be read."""
        return self.match > 0 and self.match >= self.least_match


@dataclass(frozen=True)
class Sources:
    """What was found for a question, and who reads it."""

    passages: tuple[Passage, ...]
    """The best first."""
    searched: Searched
    both: bool = False
    """Whether both models read it, as where the fine-tune was for that; else one gives a third answer."""
    variant: Variant = WITH_SOURCES_VARIANT
    """Whose weights give the third answer."""


def reads(run: Run) -> bool:
    """Whether the run is a fine-tune to read passages: both models answer with sources unless told otherwise."""
    config = run.record.config
    return config is not None and config.task == "open_book"


def find_sources(question: Question, run: Run, settings: Settings, before: str = "") -> Sources:
    """The passages of the run's library that fit the question best; a follow-up's together with the one `before` it.

    "How is it treated?" names no topic: that stands in the question before.

    Raises:
        MedQAError: as `library_for`.
    """
    library = library_for(run, settings)
    config = run.record.config
    most = config.passages if config is not None and config.task == "open_book" else PASSAGES
    text = f"{before} {question.text}".strip()
    found = tuple(library.retriever.search(text, most))
    on_topic = topics.names_topic(text, found)
    least = library.retriever.least_match
    searched = Searched(
        kind=library.kind,
        title=library.title,
        passages=len(library.retriever.passages),
        method=library.retriever.method,
        match=round(max((library.retriever.match(text, one) for one in found), default=0.0), 4),
        least_match=min(least, topics.LEAST_MATCH) if on_topic else least,
        left_out=library.left_out,
        before=before,
        on_topic=on_topic,
    )
    return Sources(found, searched, both=reads(run))


def fitting(
    variants: ModelVariants, question: str, passages: Sequence[Passage], max_new_tokens: int
) -> tuple[list[int], tuple[Passage, ...]]:
    """The prompt with as many of the passages, best first, as leave room for the answer, and these passages.

    Without any where not even the first one fits; then it is the prompt of a question that nothing was found for.
    `question` is a text: the evaluation asks those of a data set, which nobody typed.
    """
    context = variants.base.context
    for count in range(len(passages), 0, -1):
        kept = tuple(passages[:count])
        ids = encode_prompt(variants.tokenizer, with_passages(question, [one.text for one in kept]), variants.prompt)
        if context is None or len(ids) + max_new_tokens <= context:
            return ids, kept
    return encode_prompt(variants.tokenizer, question, variants.prompt), ()
