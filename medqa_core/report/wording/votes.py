"""What votes tell, in words: never more than their intervals support."""

from medqa_core.foundation.format import count, listing, percent, plural, share
from medqa_core.report.names import MODELS
from medqa_core.report.statistics.proportion import Proportion
from medqa_core.report.views.votes import Tally

DEPENDENCE = (
    "The intervals hold at whatever number of votes one looks, and take the votes as independent. Votes of one visitor "
    "are not: where a few people cast most of them, the intervals are narrower than they should be."
)
NONE_YET = "No one has voted on this run’s answers yet: votes are cast on {page}, in the blind comparison."
"""`page`: the name of the page, or a link to it."""
UNCLEAR = "Cannot tell which model’s answers people prefer"
AGREEMENT = {
    "better": "People preferred the answer with the higher ROUGE-L more often than not.",
    "worse": "People preferred the answer with the lower ROUGE-L more often than not: it does not measure what "
    "they look for.",
}


def sentence(tally: Tally) -> str:
    """What people preferred, as far as the votes tell; where there are none, how to cast one."""
    if not tally.votes:
        return NONE_YET.format(page="Ask")
    undecided = [plural(tally.tie, "tie")] * (tally.tie > 0)
    undecided += [f"{count(tally.both_bad)} “both bad”"] * (tally.both_bad > 0)
    if not tally.wins.n:
        return f"{UNCLEAR}: no vote prefers one of the two ({listing(undecided)})."
    name, won = (MODELS["fine_tuned"], tally.wins)
    if tally.verdict == "worse":
        name, won = (MODELS["base"], tally.wins.other)
    lead = UNCLEAR if tally.verdict == "cannot tell" else f"People preferred the {name} model"
    beside = f"; besides, {listing(undecided)}" if undecided else ""
    return (
        f"{lead}: the {name} model’s answer won {count(won.hits)} of {plural(won.n, 'decided vote')}, "
        f"{share_text(won)} (95% interval){beside}."
    )


def notes(tally: Tally) -> list[str]:
    """What else the votes tell, and what they are; a sentence each."""
    found = [AGREEMENT[tally.agreement.against_half]] if tally.agreement.against_half in AGREEMENT else []
    if tally.left.against_half != "cannot tell":
        side = "left" if tally.left.against_half == "better" else "right"
        found.append(
            f"There is a {side} bias: people chose the answer on the {side} more often than chance allows. Sides "
            "are chosen at random, so it blurs what people prefer and favours neither model."
        )
    if tally.int8:
        found.append(f"Of {plural(tally.votes, 'vote')}, {count(tally.int8)} are on answers of int8 weights.")
    if tally.other_weights:
        more = plural(tally.other_weights, "more vote is", "more votes are")
        counts = "does not count" if tally.other_weights == 1 else "do not count"
        found.append(f"{more} on other weights than this run has now and {counts}.")
    return [*found, DEPENDENCE] if tally.votes else found


def share_text(found: Proportion) -> str:
    """`58.3% [25.1%, 86.0%]`, with more digits where a bound would else seem to lie on one half."""
    digits = next((d for d in (1, 2, 3) if percent(0.5, d) not in {percent(bound, d) for bound in found.ci}), 4)
    return share(found.share, found.ci, digits)
