"""The tables about answers: how they came out, copies of training answers, MMLU and its letters."""

import math
from collections.abc import Callable
from functools import partial

from medqa_core.foundation.format import NOT_STATED, capital, count, duration, number, p_value, percent, words
from medqa_core.report.document.model import Column, Table
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS, MODELS, SCORINGS
from medqa_core.report.views.choices import Choices, Scored, choices
from medqa_core.report.views.choices import scorings as scorings_view
from medqa_core.report.views.copies import KINDS, Copies, copies
from medqa_core.report.views.examples import Examples
from medqa_core.report.wording.examples import TITLES
from medqa_core.runs.artifacts.mmlu import CHANCE, LETTERS, SubsetScore, above_chance
from medqa_core.runs.schema.evaluation import VARIANTS, Generation, SpecificKind

SPECIFICS: dict[SpecificKind, str] = {"gene": "Gene symbols", "number": "Numbers with a unit", "name": "Proper names"}


def _percent(share: float | None) -> str | None:
    return None if share is None else percent(share)


def _specifics(kind: SpecificKind, made: Generation) -> str | None:
    found = (made.specifics or {}).get(kind)
    if found is None:
        return None
    read = "" if found.in_passages is None else f"; {count(found.in_passages)} in the passages"
    return f"{count(found.stated)}; {count(found.in_reference)}{read}"


READING = ("Content words that its passages hold", "Answers that name a passage")
"""What only answers given after reading passages have."""
BOTH = tuple(Column(capital(MODELS[variant]), "number") for variant in VARIANTS)
GENERATION: tuple[tuple[str, Callable[[Generation], str | None]], ...] = (
    ("Empty answers", lambda g: percent(g.empty_share)),
    ("Mean answer length, tokens", lambda g: number(g.mean_tokens, 1)),
    ("Answer length / reference length", lambda g: number(g.length_ratio, 2)),
    ("Repeated sequences of four words", lambda g: _percent(g.repetition)),
    ("Words in templates", lambda g: _percent(g.template_share)),
    ("Answers that ended by themselves", lambda g: _percent(g.ended_share)),
    (READING[0], lambda g: _percent(g.supported_share)),
    (READING[1], lambda g: _percent(g.cited_share)),
    *((f"{label} stated; in a reference", partial(_specifics, kind)) for kind, label in SPECIFICS.items()),
    ("Time to answer all", lambda g: duration(g.seconds)),
    ("Prompt", lambda g: words(g.prompt, 60)),
)
ANSWER = 600
"""Characters of an answer that a report quotes."""
MOST_TYPES = 20
TEMPLATES = (
    "A template is a run of 8 words that, the topic's name masked, stands in answers on 5 topics or more: a model can "
    "learn it without learning anything about a topic."
)
"""What a template is."""
COPIED = (
    "A copied answer has at least 90% of its words in runs of 8 or more words that also stand in one training answer; "
    "a near-copy has at least 50%; a novel answer less. The base model never saw these training answers, so its "
    "shares are what chance and common phrases give."
)
"""What the kinds of copies mean."""
ASKED = (
    "By letter, a model reads the choices and says A to D; calibrated, each letter's mean log-likelihood over all "
    "questions is taken out, so that a favourite letter has no advantage; by answer text, it reads no choices and the "
    "likeliest of the four texts per byte counts. Above chance: one-sided exact binomial test at 2.5% for each model. "
    "The difference is McNemar's exact test for that scoring alone."
)
"""What the scorings of MMLU mean."""


def generations(*variants: tuple[str, Generation | None]) -> Table | None:
    """How answers came out, a column a model; None where nothing is known of any."""
    if all(generation is None for _, generation in variants):
        return None
    columns = tuple(Column(capital(MODELS[name]), "number") for name, _ in variants)
    rows = [(label, *(None if g is None else text(g) for _, g in variants)) for label, text in GENERATION]
    rows = [row for row in rows if row[0] not in READING or any(row[1:])]
    return Table.of(("Answers", *columns), rows)


def of_both(facts: Facts) -> Table | None:
    """How both models' answers came out."""
    e = facts.evaluation
    if e is None:
        return None
    return generations(("base", e.base_generation), ("fine_tuned", e.fine_tuned_generation))


def references(facts: Facts) -> Table | None:
    """What the references are made of and how much of them is measured; None where that is not known."""
    found = facts.evaluation.references if facts.evaluation else None
    if found is None:
        return None
    rows: list[tuple[str, str | None]] = [
        ("Words in templates", _percent(found.template_share)),
        ("Bytes that enter the loss", _percent(found.scored_share)),
    ]
    by_type = sorted(found.template_share_by_question_type.items(), key=lambda item: -item[1])
    rows += [(f"Words in templates, {words(kind, 40)}", percent(share)) for kind, share in by_type[:MOST_TYPES]]
    return Table.of(("References", Column("Share", "number")), rows)


def copied(facts: Facts) -> Table | None:
    """How many answers are copied from a training answer, near-copies and novel; None where it was not measured."""
    base, tuned = (copies(facts.predictions, variant) for variant in VARIANTS)
    if base is None and tuned is None:
        return None
    rows = [(capital(kind), _share_of(base, i), _share_of(tuned, i)) for i, kind in enumerate(KINDS)]
    return Table.of(("Answers against training", *BOTH), rows)


def two_answers(found: Examples) -> Table:
    """One of the better and one of the worse answers of the fine-tuned model, the base model's beside each.

    The questions by their ids: a report holds no sentence of a data set.
    """
    rows = [
        (
            TITLES[kind],
            words(str(row["question_id"]), 80),
            *(words(text, ANSWER) if isinstance(text := row.get(f"{v}_answer"), str) else None for v in VARIANTS),
            *(_score(row.get(f"{v}_{found.score}")) for v in VARIANTS),
        )
        for kind, row in (("better", found.better), ("worse", found.worse))
    ]
    answers = [Column(f"{capital(MODELS[variant])} model’s answer") for variant in VARIANTS]
    scores = [Column(f"{METRICS[found.score].label}, {MODELS[variant]}", "number") for variant in VARIANTS]
    return Table.of(("Answer", "Question", *answers, *scores), rows)


def _score(value: object) -> str:
    return number(value) if isinstance(value, float) and not math.isnan(value) else NOT_STATED


def mmlu(facts: Facts) -> Table | None:
    """Accuracy by MMLU subset; None where there are no results."""
    if facts.mmlu is None:
        return None
    base = {score.subset: score for score in facts.mmlu.base or []}
    rows = [
        (score.subset.replace("_", " "), _accuracy(base.get(score.subset)), _accuracy(score), _count(score.n))
        for score in facts.mmlu.fine_tuned
    ]
    return Table.of(("MMLU subset", *BOTH, Column("Questions", "number")), rows)


def scorings(facts: Facts) -> Table | None:
    """Accuracy by each scoring that the answers allow, against guessing; None where there are no answers."""
    found = scorings_view(facts.snapshot.mmlu_answers, facts.mmlu)
    if not found:
        return None
    rows = [
        (
            f"By {SCORINGS[one.scoring]}" + (" (judged)" if one.judged else ""),
            *(_above(one, variant) for variant in VARIANTS),
            p_value(one.p),
        )
        for one in found
    ]
    return Table.of(("MMLU scoring", *BOTH, "Difference"), rows)


def _above(one: Scored, variant: str) -> str:
    above = above_chance(one.chance_p[variant])
    return f"{percent(one.accuracy[variant])} ({'above' if above else 'not above'} chance)"


def letters(facts: Facts) -> Table | None:
    """How often each letter was chosen and is right, with the two baselines; None where there are no answers."""
    found = [choices(facts.mmlu_answers, variant) for variant in VARIANTS]
    known = next((c for c in reversed(found) if c is not None), None)
    if known is None:
        return None
    rows: list[tuple[str | None, ...]] = [
        (f"Letter {letter}", *(_picked(c, i) for c in found), _of_all(known.right[i], known.n))
        for i, letter in enumerate(LETTERS)
    ]
    rows.append(("Right answers", *(percent(c.accuracy) if c else None for c in found), "100.0%"))
    rows.append((f"Always {LETTERS[known.best_letter]}", *[percent(known.always)] * 2, ""))
    rows.append(("Guessing", *[percent(CHANCE)] * 2, ""))
    return Table.of(("MMLU letters", *BOTH, Column("Correct answers", "number")), rows)


def _picked(found: Choices | None, place: int) -> str | None:
    return None if found is None else _of_all(found.picked[place], found.n)


def _share_of(found: Copies | None, place: int) -> str | None:
    return None if found is None else _of_all(found.counts[place], found.n)


def _of_all(number_of: int, n: int) -> str:
    return f"{count(number_of)} ({percent(number_of / n)})"


def _count(n: int | None) -> str | None:
    return None if n is None else count(n)


def _accuracy(score: SubsetScore | None) -> str | None:
    if score is None:
        return None
    return percent(score.accuracy) + (f" ± {percent(score.stderr)} (SE)" if score.stderr is not None else "")
