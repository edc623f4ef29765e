"""What is done to MedQuAD's texts, from whichever copy they come, and the topic that its questions name.

Most of MedQuAD's questions were generated from templates such as "What are the symptoms of X ?". A copy without a
topic column still names its topics in them.
"""

import re

from medqa_core.data.pairs import tidy

LICENCE = "CC BY 4.0"
CLEANING = (
    "pairs without an answer left out",
    "runs of white space made one space",
    '"What is (are)" made "What is"',
    "exact duplicates of question and answer dropped",
)
"""What is done to every copy, in words. Answers keep every word: docs/decisions/0007 says why."""

SPLIT_SIZES = (3500, 750, 750)
"""Training, validation and test pairs of the reference run."""

_FILLER = re.compile(r"\(are\) ")
_TEMPLATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"what (?:is|are) the (?:signs and )?symptoms (?:of|for) (.+)",
        r"what (?:is|are) the (?:treatments?|outlook|prognosis) (?:for|of) (.+)",
        r"what (?:is|are) the (?:stages|complications|causes?|side effects|risk factors) (?:of|for) (.+)",
        r"what (?:is|are) the genetic changes related to (.+)",
        r"what research (?:\(or clinical trials\) )?is being done (?:for|on) (.+)",
        r"what (?:causes|to do for) (.+)",
        r"how (?:to|can i|do you) (?:diagnose|prevent|treat) (.+)",
        r"how can (.+) be (?:diagnosed|treated|prevented)",
        r"how many people are affected by (.+)",
        r"how (?:is|are|common is|common are) (.+?)(?: (?:diagnosed|treated|inherited|prevented|transmitted))?",
        r"(?:is|are) (.+) inherited",
        r"who (?:is|are) at risk for (.+)",
        r"do you have information about (.+)",
        r"where (?:to find|can i find) support for people with (.+)",
        r"what (?:is|are) (.+)",
    )
)


def clean_question(text: str) -> str:
    """The question as a person would write it: MedQuAD's generated ones read "What is (are) Gout ?"."""
    return re.sub(r" \?$", "?", _FILLER.sub("", tidy(text)))


def topic_of(question: str) -> str | None:
    """The topic that a question of one of MedQuAD's templates is about, or None."""
    bare = question.rstrip("? ")
    for template in _TEMPLATES:
        if found := template.fullmatch(bare):
            return found[1]
    return None


def split_sizes(pairs: int) -> tuple[int | None, int | None, int | None]:
    """The reference run's sizes where `pairs` are enough to leave room between the parts, else shares."""
    return SPLIT_SIZES if pairs >= 2 * sum(SPLIT_SIZES) else (None, None, None)
