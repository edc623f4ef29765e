"""A question of the same kind about another topic, for each test question: what is the right topic worth?

The loss of a reference under such a question, minus its loss under its own, is what the model takes from the question's
topic, in nats per token: an estimate of the pointwise conditional mutual information of topic and answer, given the
kind of question (Ethayarajh, Choi and Swayamdipta, "Understanding dataset difficulty with V-usable information", ICML
2022, measure what an input is worth in the same way, against an empty one).
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from medqa_core.data.pairs import QAPair, normalise
from medqa_core.data.patterns import pattern

SEED = 0
"""Of the draw; the same questions are drawn on every machine."""
UNKNOWN = "unknown"
"""The type of a question whose data set has none."""
Kind = Literal["question pattern", "question type", "any question"]
"""What both questions have in common, at least; the first that gives another topic counts."""


def other_topics(questions: Sequence[QAPair], groups: Mapping[str, str]) -> tuple[list[QAPair | None], Kind]:
    """For each question one of the others about another topic and of another group, None where there is none.

    Args:
        questions: the test questions: neither model was trained on any of them.
        groups: pair id to group id.

    Returns:
        The questions drawn, in the order of `questions`, and the loosest kind that was needed.
    """
    found: list[QAPair | None] = [None] * len(questions)
    needed: list[int] = [0]
    for number, key in enumerate(_KINDS):
        partners = _partners(questions, groups, key)
        for place, partner in enumerate(partners):
            if found[place] is None and partner is not None:
                found[place] = partner
                needed.append(number)
    return found, get_args(Kind)[max(needed)]


def _partners(
    questions: Sequence[QAPair], groups: Mapping[str, str], key: Callable[[QAPair], str | None]
) -> list[QAPair | None]:
    """Within each kind the next question, in the seed's order, that is about something else."""
    kinds: dict[str, list[int]] = defaultdict(list)
    for place in sorted(range(len(questions)), key=lambda place: (_rank(questions[place]), place)):
        if (kind := key(questions[place])) is not None:
            kinds[kind].append(place)
    found: list[QAPair | None] = [None] * len(questions)
    for members in kinds.values():
        for rank, place in enumerate(members):
            own = questions[place]
            following = (questions[at] for at in (*members[rank + 1 :], *members[:rank]))
            found[place] = next((one for one in following if _is_other(one, own, groups)), None)
    return found


def _is_other(one: QAPair, own: QAPair, groups: Mapping[str, str]) -> bool:
    if normalise(one.question) == normalise(own.question) or groups.get(one.id) == groups.get(own.id):
        return False
    return not one.topic or normalise(one.topic) != normalise(own.topic)


def _rank(question: QAPair) -> str:
    return hashlib.sha256(f"{SEED}\t{question.id}".encode()).hexdigest()


_KINDS: tuple[Callable[[QAPair], str | None], ...] = (
    lambda q: pattern(q.question, q.topic) if q.topic else None,
    lambda q: q.question_type if q.question_type and q.question_type != UNKNOWN else None,
    lambda q: "",
)
