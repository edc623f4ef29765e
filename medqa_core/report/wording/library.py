"""Which library was searched for passages, in words."""

from collections.abc import Sequence

from medqa_core.foundation.format import count, listing, number

_WHERE = {
    "data set": "{title}, this run’s data set",
    "starter set": "the starter set, since this run’s own data set is not available here",
    "own documents": "the documents in {title}",
}


def sentence(kind: str, title: str, passages: int, match: float, least_match: float) -> str:
    """What was searched and how well it fits.

    Args:
        kind: as `answering.retrieval.library` names it.
        title: of the data set, or the folder's name.
        passages: in the library.
        match: of the best passage with the question, 0 to 1.
        least_match: a smaller match counts as nothing found.
    """
    searched = f"Searched: {_WHERE[kind].format(title=title)} ({count(passages)} passages)."
    if match >= least_match and match > 0:
        return f"{searched} Best match with the question: {number(match, 2)} of 1."
    hint = " or ask in the language of the library" if match < least_match / 2 else ""
    return (
        f"{searched} Best match with the question: {number(match, 2)} of 1; below {number(least_match, 2)} counts as "
        f"nothing found. Use the words that a text on the topic would use{hint}."
    )


def off_topic(topics: Sequence[str]) -> str:
    """That a question names none of the topics of the passages that were found for it, the best first."""
    about = listing([f"“{topic}”" for topic in topics])
    return (
        f"Your question names the topic of none of these passages, which are about {about}. The library may lack what "
        "you ask about, and the answer may be about something else."
    )
