"""The metrics page's part about MMLU: accuracy by subset against guessing, and the letters that were chosen."""

import pandas as pd
import streamlit as st

from medqa_core.foundation.format import percent
from medqa_core.report.charts.metrics import mmlu_figure, mmlu_frame
from medqa_core.report.charts.shares import shares_figure
from medqa_core.report.document import answer_tables
from medqa_core.report.facts import Facts
from medqa_core.report.names import MODELS, SCORINGS
from medqa_core.report.rules.letters import letter_bias
from medqa_core.report.views.choices import Choices, choices
from medqa_core.runs.artifacts.mmlu import CHANCE, LETTERS
from medqa_core.runs.schema.evaluation import VARIANTS, Variant
from pages.shared import charts, document, notices, tasks, theme
from pages.shared.markup import note


def mmlu(facts: Facts) -> None:
    """MMLU by subset against guessing, or what is missing; then the letters."""
    st.header("Medical knowledge: MMLU by subset", anchor=False)
    results = facts.mmlu
    if results is None:
        notices.notice(
            "MMLU has not been measured for this run."
            if not facts.imported
            else "The source does not say how the model does on MMLU.",
            f"Guessing among four letters is right {percent(CHANCE, 0)} of the time.",
        )
        if facts.snapshot.has_model:
            tasks.offer("mmlu", facts.run.id)
        return
    variants = ((MODELS["fine_tuned"], results.fine_tuned), (MODELS["base"], results.base or []))
    pooled = [f"{name} {percent(share)}" for name, scores in variants if (share := results.pooled(scores)) is not None]
    how = f", by {SCORINGS[results.scoring]}" if results.scoring else ""
    caption = f"Over all subsets{how}: {', '.join(pooled)}; guessing: {percent(CHANCE, 0)}." if pooled else ""
    charts.show(
        mmlu_figure(results, theme.palette()),
        key="mmlu",
        alt=f"Accuracy by MMLU subset for each model against chance. {caption}",
        caption=f"{caption} Bars: 95% intervals; a model whose bar reaches the dotted line may be guessing.",
    )
    charts.download("Download as CSV", lambda: mmlu_frame(results), f"{facts.run.id}-mmlu.csv", key="mmlu-csv")
    table = answer_tables.scorings(facts)
    if table is not None:
        document.table(table, caption=answer_tables.ASKED)
    letters(facts)


def letters(facts: Facts) -> None:
    """How often each letter was chosen by each model and is right; nothing where the answers were not kept."""
    found = {variant: made for variant in VARIANTS if (made := choices(facts.mmlu_answers, variant)) is not None}
    if not found:
        return
    st.subheader("Which letters are chosen", anchor=False)
    known = next(iter(found.values()))
    said = [one.sentence for one in letter_bias(facts)]
    note(" ".join(said) or "Neither model is biased towards one letter more than chance allows.")
    expected = [n / known.n for n in known.right]
    charts.show(
        shares_figure(
            LETTERS,
            {variant: [n / made.n for n in made.picked] for variant, made in found.items()},
            y="share of questions",
            level=(CHANCE, "equal shares"),
            reference=(expected, "correct answers"),
            palette=theme.palette(),
        ),
        key="letters",
        alt=f"{' '.join(said)} {_in_words(found)}",
        caption=f"How often each letter is chosen on {known.n:,} questions; in grey, how often it is the right one.",
    )
    table = answer_tables.letters(facts)
    if table is not None:
        caption = "Letters chosen, right answers, and what both have to beat: one letter every time, and guessing."
        document.table(table, caption=caption)
    charts.download(
        "Download the letters as CSV", lambda: _frame(found), f"{facts.run.id}-letters.csv", key="letters-csv"
    )


def _in_words(found: dict[Variant, Choices]) -> str:
    parts = []
    for variant, made in found.items():
        counts = ", ".join(f"{letter} {percent(n / made.n)}" for letter, n in zip(LETTERS, made.picked, strict=True))
        parts.append(f"{MODELS[variant]}: {counts}.")
    return " ".join(parts)


def _frame(found: dict[Variant, Choices]) -> pd.DataFrame:
    columns: dict[str, tuple[int, ...]] = {variant: made.picked for variant, made in found.items()}
    return pd.DataFrame({"letter": LETTERS, **columns, "right": next(iter(found.values())).right})
