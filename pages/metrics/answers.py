"""The metrics page's look at single answers: questions that improved or regressed, answers copied from training."""

import pandas as pd
import streamlit as st

from medqa_core.data.pairs import QAPair
from medqa_core.foundation.format import signed
from medqa_core.report import answer_rows
from medqa_core.report.charts.metrics import gains_figure
from medqa_core.report.charts.shares import shares_figure
from medqa_core.report.document.answer_tables import COPIED
from medqa_core.report.facts import Facts
from medqa_core.report.rules.answers import flips
from medqa_core.report.rules.copying import copied as copied_rule
from medqa_core.report.views.copies import KINDS, copies
from medqa_core.runs.schema.evaluation import VARIANTS
from pages.shared import charts, notices, tables, tasks, theme
from pages.shared.markup import note
from pages.shared.question_texts import question_link, question_texts
from pages.shared.tables import Column, Raw

FEW = 5
SCORE = "rougeL"


def there(facts: Facts) -> bool:
    """Whether single answers can be shown, or why not can be said."""
    return facts.predictions is not None or bool(facts.metrics and not facts.imported)


def improvements(facts: Facts) -> None:
    """On how many questions ROUGE-L rose and fell, a bar per question, and the questions at both ends."""
    found = list(flips(facts))
    if facts.predictions is None or not found:
        return
    st.header("Improved and regressed questions", anchor=False)
    rows = facts.predictions.assign(gain=answer_rows.gain(facts.predictions, SCORE)).dropna(subset=["gain"])
    caption = "Each bar is a test question: ROUGE-L, fine-tuned − base; up is better."
    note(f"{found[0].sentence} {found[0].effect}.")
    chart = gains_figure(rows["gain"], "ROUGE-L gain", theme.palette())
    charts.show(chart, key="gains", alt=found[0].sentence, caption=caption)
    ordered = rows.sort_values("gain", ascending=False, kind="stable")
    ends = [("Largest improvements", ordered[ordered["gain"] > 0].head(FEW))]
    ends.append(("Largest regressions", ordered[ordered["gain"] < 0].tail(FEW).iloc[::-1]))
    texts, _ = question_texts(facts.run)
    for place, (title, few) in zip(st.columns(2, gap="medium"), ends, strict=True):
        with place:
            _few(facts, title, few, texts)
    columns = ["question_id", "group_id", "question_type", "source", f"base_{SCORE}", f"fine_tuned_{SCORE}", "gain"]
    charts.download(
        "Download every question as CSV", lambda: ordered[columns], f"{facts.run.id}-gains.csv", key="gains-csv"
    )


def copied(facts: Facts) -> None:
    """Copied, near-copied and novel answers of both models; nothing where copying was not measured."""
    found = list(copied_rule(facts))
    if not found:
        return
    st.header("Copied from training?", anchor=False)
    variants = {variant: counted for variant in VARIANTS if (counted := copies(facts.predictions, variant)) is not None}
    shares = {variant: [n / counted.n for n in counted.counts] for variant, counted in variants.items()}
    note(found[0].sentence)
    charts.show(
        shares_figure(KINDS, shares, y="share of answers", palette=theme.palette()),
        key="copies",
        alt=found[0].sentence,
        caption=COPIED,
    )
    charts.download(
        "Download as CSV",
        lambda: pd.DataFrame({"kind": KINDS} | {str(one): counted.counts for one, counted in variants.items()}),
        f"{facts.run.id}-copies.csv",
        key="copies-csv",
    )


def nothing_by_question(facts: Facts) -> None:
    """Why the parts about single answers are not there; nothing where they are, or come later."""
    if facts.predictions is None and facts.metrics and not facts.imported and not facts.in_progress:
        notices.notice(
            "There are no data by question.",
            "Improved, regressed and copied answers are counted from predictions.parquet, which this run lacks.",
        )
        tasks.offer("evaluate", facts.run.id)


def _few(facts: Facts, title: str, few: pd.DataFrame, texts: dict[str, QAPair] | None) -> None:
    if few.empty:
        note(f"{title}: none.")
        return
    rows: list[list[str | Raw]] = []
    for row in few.to_dict("records"):
        kind = row["question_type"] if isinstance(row["question_type"], str) else "·"
        rows.append([question_link(facts.run.id, str(row["question_id"]), texts), kind, signed(float(row["gain"]), 4)])
    columns = (Column("Question"), Column("Type"), Column("Gain", "number"))
    tables.table(columns, rows, caption=f"{title}; each opens on the Answers page.")
