"""The parts of the data page: figure, parts of the split, leakage, counts, sample rows, how the data were made."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st

from medqa_core.data import describe
from medqa_core.data.describe import SHARED, Description, leakage_sentence, leaks, topics
from medqa_core.data.pairs import PairSet, QAPair, normalise
from medqa_core.data.patterns import TOPIC
from medqa_core.data.preparation import Step
from medqa_core.data.split import method
from medqa_core.data.templates import RUN, TOPICS
from medqa_core.foundation.errors import ModelError, shorten
from medqa_core.foundation.format import capital, count, number, percent, plural
from medqa_core.models.token_lengths import STAND_IN
from medqa_core.report.charts.lengths import histogram, overflows, token_lengths_figure
from medqa_core.runs.schema.config import SPLIT_VERSION
from medqa_core.runs.schema.record import OverlapRecord
from pages.data import cache
from pages.shared import charts, notices, tables, tasks, theme
from pages.shared.markup import answer, bullets, html
from pages.shared.tables import Cell, Column, Raw

SAMPLE = 8
MOST = 40
"""Values in a table of counts."""
LONGEST = 320
"""Characters of a question or an answer in the sample."""
Tally = dict[str, dict[str, int]]
"""Pairs by value, and by part."""
FIELDS: tuple[Literal["question_type"], Literal["source"]] = ("question_type", "source")
"""What pairs are counted by."""
NGRAMS = {
    "ngram13_any": "answer repeats 13 words of a training answer",
    "ngram13_over_half": "more than half of the answer is in training answers",
    "ngram13_over_80": "more than 80% of the answer is in training answers",
}
ONLY_A_QUESTION = "Answers that are only a question"
STEPS: dict[Step, str] = {
    "lines": "paragraphs and lists kept",
    "heading": "heading such as “Key Points” dropped",
    "question": "opening that repeats the question dropped",
    "repeated": "repeated lines dropped",
}
"""What preparation does, by its step."""
RELATIONS = {
    "document": "document also in training",
    "focus": "topic also in training",
    "question": "question also in training",
    "answer": "answer also in training",
    "synonym": "topic in training under one of its names",
    "concept": "specific concept (CUI) also in training",
    "near_duplicate": "answer nearly that of a training pair",
}


def sentence(found: Description) -> None:
    """Pairs, sources, split and leakage; a leak stands on its own line, in red and with its sign."""
    data, sizes = found.data, found.sizes
    n_sources = len({pair.source for pair in data.pairs})
    origin = f" from {plural(n_sources, 'source')}" if n_sources > 1 else ""
    told = (
        f"{_title(data)}: {plural(len(data.pairs), 'usable pair')}{origin}; {count(sizes.train)} are for "
        f"training, {count(sizes.validation)} for validation and {count(sizes.test)} for the test."
    )
    leak = leakage_sentence(found.overlap, sizes.test)
    if leaks(found.overlap):
        answer(told)
        html(f'<p class="mq-worse" role="status">▼ {escape(leak)}</p>')
    else:
        answer(f"{told} {leak}")


def without_tokenizer() -> None:
    """What is missing for the figure; said at once, so that what is below it does not move later."""
    why = "Lengths are counted with the model's tokenizer, which is not in the cache of this machine."
    notices.notice("Example lengths are not known here.", why)
    tasks.offer_fetch(STAND_IN)


def lengths(found: Description, tokenizer: cache.Tokenizer) -> None:
    """The figure, or why the tokens cannot be counted."""
    try:
        counted = cache.counted(found, tokenizer)
    except ModelError as error:
        notices.notice("The tokens cannot be counted.", str(error), bad=True)
        return
    whole, limit = counted.lengths.whole, found.config.max_tokens
    truncated = counted.lengths.truncated_share(limit)
    mean, median, p95 = (number(float(n), 0) for n in (whole.mean(), np.median(whole), np.percentile(whole, 95)))
    caption = (
        f"All {count(len(whole))} usable pairs in tokens of {counted.tokenizer}: mean {mean}, median {median}, "
        f"95% have at most {p95}. {f'{percent(truncated)} are' if truncated else 'None is'} truncated at "
        f"{count(limit)} tokens."
    )
    if overflows(whole, limit):
        caption += " The last bar includes all longer examples."
    chart = token_lengths_figure(whole, limit, truncated, theme.palette())
    charts.show(chart, key="lengths", alt=caption, caption=caption)
    charts.download(
        "Download the histogram as CSV", lambda: histogram(whole, limit), "token-lengths.csv", key="lengths-csv"
    )


def leakage(found: Description) -> None:
    """What the test set shares with training, in this split and in the other kind."""
    st.header("What the test set shares with training", anchor=False)
    both = [found, *filter(None, [cache.counterpart(found)])]
    columns = [Column("Of the test questions"), *(Column(capital(_method(each)), "number") for each in both)]
    rows: list[list[Cell]] = [
        [capital(label), *(_shared(getattr(each.overlap, key), each.sizes.test) for each in both)]
        for key, label in RELATIONS.items()
    ]
    rows += [[capital(label), *(percent(getattr(each.overlap, key)) for each in both)] for key, label in NGRAMS.items()]
    caption = "Models can memorise their training data: such a question measures memory. ▼ marks a leak."
    tables.table(columns, rows, caption=caption)
    charts.download("Download as CSV", lambda: _leakage_frame(both), "leakage.csv", key="leakage-csv")


def templates(found: Description) -> None:
    """How much of the answers is text that many topics share, by question type, and the longest of it."""
    st.header("Template text", anchor=False)
    text = cache.templates(found)
    if not text.share:
        notices.notice(
            "The answers have no template text.",
            f"No run of {RUN} words stands in answers on {TOPICS} topics or more, the topic's name left aside.",
        )
        return
    answers = describe.tally(pair.question_type for pair in found.data.pairs)
    shares = [[kind, count(answers[kind]), percent(share)] for kind, share in text.by_question_type.items()]
    caption = (
        f"{percent(text.share)} of the words of all usable answers: runs of {RUN} words that stand in answers on "
        f"{TOPICS} topics or more, the topic's name left aside. A model that has learnt them gains in every score of "
        "wording without knowing anything about the topic."
    )
    columns = (Column("Question type"), Column("Answers", "number"), Column("Template text", "number"))
    tables.table(columns, shares[:MOST], caption=caption)
    listed = [[shorten(one.text, LONGEST), count(one.words), count(one.topics)] for one in text.longest]
    columns = (Column("Longest templates"), Column("Words", "number"), Column("Topics", "number"))
    tables.table(columns, listed, caption=f"{TOPIC} stands for the topic's name, which counts as one word.")


def split(found: Description) -> None:
    """The parts, and what became of the pairs on the way there."""
    st.header("From the source to the split", anchor=False)
    data = found.data
    steps = [
        ("Pairs parsed", data.pairs_parsed, ""),
        ("Without an answer", data.pairs_parsed - data.pairs_answered, "left out"),
        ("Duplicates dropped", data.duplicates_dropped, "question and answer repeat an earlier pair"),
        ("Usable pairs", len(data.pairs), plural(topics(data.pairs), "topic")),
        (ONLY_A_QUESTION, found.bare_questions, "kept; a model gains nothing from them, nor does their reader"),
        *((capital(f"{name} set"), len(rows), plural(topics(rows), "topic")) for name, rows in found.parts.items()),
        ("Not used", found.unused, "more pairs than the sizes ask for"),
    ]
    rows = [[name, count(n), about] for name, n, about in steps if n or name not in (ONLY_A_QUESTION, "Not used")]
    tables.table((Column("Step"), Column("Pairs", "number"), Column("About")), rows, caption="Pairs, step by step.")


def counts(found: Description) -> None:
    """Pairs by question type and by source, in the whole set and in each part."""
    tallies: dict[str, Tally] = {field: describe.counts(found, field) for field in FIELDS}
    for place, (field, tally) in zip(st.columns(2, gap="large"), tallies.items(), strict=True):
        name = field.replace("_", " ")
        columns = (Column(capital(name)), *(Column(capital(part), "number") for part in ("all", *found.parts)))
        rows = [[value, *map(count, numbers.values())] for value, numbers in list(tally.items())[:MOST]]
        more = f" The first {MOST} of {count(len(tally))}." if len(tally) > MOST else ""
        with place:
            st.header(f"By {name}", anchor=False)
            tables.table(columns, rows, caption=f"Usable pairs by {name}, and how many are in each part.{more}")
    charts.download("Download the counts as CSV", lambda: _counts_frame(tallies), "counts.csv", key="counts-csv")


def sample(found: Description) -> None:
    """A few rows of a part, as the model gets them."""
    st.header("Sample rows", anchor=False)
    name = st.segmented_control(
        "Part", list(found.parts), default="training", required=True, key="part", bind="query-params", width="content"
    )
    shown = found.parts[name or "training"][:SAMPLE]
    if not shown:
        notices.notice(f"The {name} set is empty.", "There are too few pairs to fill it without leakage.")
        return
    tables.table(
        (Column("Question"), Column("Reference answer")),
        [[_question(pair), shorten(pair.answer, LONGEST)] for pair in shown],
        caption=f"The first {len(shown)} of the {name} set, in split order; long answers are shortened.",
    )


def prepared(found: Description) -> None:
    """What the preparation did to the training answers, and some before and after; nothing where it did nothing."""
    if found.config.preparation != "answers":
        return
    st.header("Prepared answers", anchor=False)
    made = cache.prepared(found)
    rows = [[capital(label), count(made.changed[step])] for step, label in STEPS.items()]
    columns = (Column("What was done"), Column("Training answers", "number"))
    tables.table(
        columns, rows, caption=f"Of {count(len(found.parts['training']))} training answers, before any is cut."
    )
    shown: list[list[Cell]] = [
        [_question(one.pair), shorten(one.before, LONGEST), shorten(one.after, LONGEST)] for one in made.samples
    ]
    if shown:
        heads = (Column("Question"), Column("As written"), Column("As learnt"))
        tables.table(heads, shown, caption="Those to which most was done; long answers are shortened.")


def recorded_leakage(overlap: OverlapRecord, test: int) -> None:
    """What the test set shares with training as the run recorded it, for data that are not at hand."""
    answer(leakage_sentence(overlap, test))
    rows: list[list[Cell]] = [
        [capital(label), _shared(getattr(overlap, key), test)] for key, label in RELATIONS.items()
    ]
    rows += [[capital(label), percent(getattr(overlap, key))] for key, label in NGRAMS.items()]
    columns = (Column("Of the test questions"), Column("Recorded", "number"))
    tables.table(columns, rows, caption="As measured when the run was made. ▼ marks a leak.")


def made(found: Description) -> None:
    """Licence, filters, method and hash."""
    data, config = found.data, found.config
    lines = [
        f"Licence: {data.licence}",
        f"Split: {method(config)}; version {config.split_version}, seed {config.split_seed}",
        f"Split hash: `{found.split.hash}`",
        *(capital(line) for line in data.filters or ("no filter: the texts are used as they are written",)),
    ]
    html(f'<details class="mq-part"><summary>Licence, filters and split</summary>{bullets(lines)}</details>')


def _title(data: PairSet) -> str:
    """A title of ours as the start of a sentence; a file's name stays as it is."""
    return capital(data.title) if data.name == "starter" else data.title


def _question(pair: QAPair) -> Raw:
    topic = "" if normalise(pair.topic) == normalise(pair.question) else pair.topic
    about = " · ".join(shorten(text, 80) for text in (topic, pair.question_type, pair.source) if text)
    return Raw(f'{escape(shorten(pair.question, LONGEST))}<br><span class="mq-note">{escape(about)}</span>')


def _method(each: Description) -> str:
    older = f", version {each.config.split_version}" if each.config.split_version < SPLIT_VERSION else ""
    return f"{each.config.split_method} split{older}"


def _shared(n: int, test: int) -> Cell:
    if not n:
        return "0"
    return Raw(f'<span class="mq-worse">▼ {count(n)} ({percent(n / test)})</span>')


def _counts_frame(tallies: Mapping[str, Tally]) -> pd.DataFrame:
    rows = [
        {"value": value, **numbers, "by": field} for field, tally in tallies.items() for value, numbers in tally.items()
    ]
    return pd.DataFrame(rows)


def _leakage_frame(both: Sequence[Description]) -> pd.DataFrame:
    rows = [
        {"split": each.config.split_method, "test_questions": each.sizes.test, **_dump(each.overlap)} for each in both
    ]
    return pd.DataFrame(rows)


def _dump(overlap: OverlapRecord) -> dict[str, float]:
    return {key: getattr(overlap, key) for key in (*SHARED, *NGRAMS)}
