"""What votes tell, in words: counts and shares, and no verdict."""

from collections.abc import Sequence

from medqa_core.foundation.format import count, listing, percent, plural
from medqa_core.report.names import MODELS
from medqa_core.report.views.leaderboard import LEAST, Standing
from medqa_core.report.views.votes import Tally

DEPENDENCE = (
    "No verdict follows from votes: nothing about voters is stored, so many of them may be one person’s, and how far "
    "these shares could be chance cannot be computed."
)
LEADERBOARD = (
    "Each run’s fine-tuned model against the run’s own base model, on its present weights. Share: of the decided "
    "votes, with its 95% confidence sequence; ties and “both bad” are in neither."
)
ORDER = (
    "The order is that of the shares and no verdict: voters chose runs and questions themselves, and the "
    "intervals take every vote as another person’s, which nothing stored can show, so that they are the "
    "narrowest that could hold."
)
NONE_YET = "No one has voted on this run’s answers yet: votes are cast on {page}, in the blind comparison."
"""`page`: the name of the page, or a link to it."""


def sentence(tally: Tally) -> str:
    """What people preferred, as far as the votes tell; where there are none, how to cast one."""
    if not tally.votes:
        return NONE_YET.format(page="Ask")
    undecided = [plural(tally.tie, "tie")] * (tally.tie > 0)
    undecided += [f"{count(tally.both_bad)} “both bad”"] * (tally.both_bad > 0)
    if not tally.wins.n:
        return f"No vote prefers one of the two ({listing(undecided)})."
    beside = f"; besides, {listing(undecided)}" if undecided else ""
    return (
        f"The {MODELS['fine_tuned']} model’s answer won {count(tally.wins.hits)} of "
        f"{plural(tally.wins.n, 'decided vote')} ({percent(tally.wins.share)}){beside}."
    )


def standings(found: Sequence[Standing]) -> str:
    """How many runs stand on the leaderboard, and how many of them with a share."""
    stated = sum(one.stated for one in found)
    few = "none has" if not stated else "all have" if stated == len(found) else f"{count(stated)} of them with"
    return (
        f"{plural(len(found), 'run has', 'runs have')} blind votes, {few} the {LEAST} decided votes that a share takes."
    )


def notes(tally: Tally) -> list[str]:
    """What else the votes tell, and what they are; a sentence each."""
    found = []
    if tally.int8:
        found.append(f"Of {plural(tally.votes, 'vote')}, {count(tally.int8)} are on answers of int8 weights.")
    if tally.other_weights:
        more = plural(tally.other_weights, "more vote is", "more votes are")
        counts = "does not count" if tally.other_weights == 1 else "do not count"
        found.append(f"{more} on other weights than this run has now and {counts}.")
    return [*found, DEPENDENCE] if tally.votes else found
