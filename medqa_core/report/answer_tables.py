"""The tables of a write-up about answers: how they came out, copies of training answers, MMLU and its letters."""

from medqa_core.foundation.format import NOT_STATED, count, duration, number, percent, words
from medqa_core.report.blocks import Table
from medqa_core.report.choices import Choices, choices
from medqa_core.report.copies import KINDS, Copies, copies
from medqa_core.report.facts import Facts
from medqa_core.runs.artifacts.mmlu import CHANCE, LETTERS, SubsetScore
from medqa_core.runs.schema.evaluation import Generation


def generations(facts: Facts) -> Table | None:
    """How the answers came out; None where nothing is known of them."""
    e = facts.evaluation
    if e is None or (e.base_generation is None and e.fine_tuned_generation is None):
        return None
    variants = (e.base_generation, e.fine_tuned_generation)
    rows = (
        ("Empty answers", *(_of(g, "empty_share") for g in variants)),
        ("Mean tokens an answer", *(_of(g, "mean_tokens") for g in variants)),
        ("Length over the reference's", *(_of(g, "length_ratio") for g in variants)),
        ("Runs of four words that repeat an earlier one", *(_of(g, "repetition") for g in variants)),
        ("Time to answer all", *(_of(g, "seconds") for g in variants)),
        ("Prompt", *(words(g.prompt, 60) if g else NOT_STATED for g in variants)),
    )
    return Table(("Answers", "Base", "Fine-tuned"), rows)


def copied(facts: Facts) -> Table | None:
    """How many answers are copied from a training answer, near-copies and novel; None where it was not measured."""
    base, tuned = (copies(facts.predictions, variant) for variant in ("base", "fine_tuned"))
    if base is None and tuned is None:
        return None
    rows = tuple((kind.capitalize(), _share_of(base, i), _share_of(tuned, i)) for i, kind in enumerate(KINDS))
    return Table(("Answers against training", "Base", "Fine-tuned"), rows)


def mmlu(facts: Facts) -> Table | None:
    """Accuracy by MMLU subset; None where there are no results."""
    if facts.mmlu is None:
        return None
    base = {score.subset: score for score in facts.mmlu.base or []}
    rows = tuple(
        (score.subset.replace("_", " "), _accuracy(base.get(score.subset)), _accuracy(score), count(score.n))
        for score in facts.mmlu.fine_tuned
    )
    return Table(("MMLU subset", "Base", "Fine-tuned", "Questions"), rows)


def letters(facts: Facts) -> Table | None:
    """How often each letter was chosen and is right, with the two baselines; None where there are no answers."""
    found = [choices(facts.mmlu_answers, variant) for variant in ("base", "fine_tuned")]
    known = next((c for c in reversed(found) if c is not None), None)
    if known is None:
        return None
    rows = [
        (f"Letter {letter}", *(_picked(c, i) for c in found), _of_all(known.right[i], known.n))
        for i, letter in enumerate(LETTERS)
    ]
    rows.append(("Right answers", *(percent(c.accuracy) if c else NOT_STATED for c in found), "100.0%"))
    rows.append((f"Always {LETTERS[known.best_letter]}", *[percent(known.always)] * 2, ""))
    rows.append(("Guessing", *[percent(CHANCE)] * 2, ""))
    return Table(("MMLU letters", "Base", "Fine-tuned", "The key"), tuple(rows))


def _picked(found: Choices | None, place: int) -> str:
    return NOT_STATED if found is None else _of_all(found.picked[place], found.n)


def _share_of(found: Copies | None, place: int) -> str:
    return NOT_STATED if found is None else _of_all(found.counts[place], found.n)


def _of_all(number_of: int, n: int) -> str:
    return f"{count(number_of)} ({percent(number_of / n)})"


def _of(generation: Generation | None, name: str) -> str:
    if generation is None:
        return NOT_STATED
    stated = getattr(generation, name)
    if stated is None:
        return NOT_STATED
    value = float(stated)
    if name in ("empty_share", "repetition"):
        return percent(value)
    return duration(value) if name == "seconds" else number(value, 2 if name == "length_ratio" else 1)


def _accuracy(score: SubsetScore | None) -> str:
    if score is None:
        return NOT_STATED
    return percent(score.accuracy) + (f" ± {percent(score.stderr)} (SE)" if score.stderr is not None else "")
