"""The write-up of a run as a document, section by section; how it is written down is the renderers' affair."""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from medqa_core.foundation.format import count, words
from medqa_core.report.document import answer_tables, records, tables
from medqa_core.report.document.model import Block, Bullets, Column, Document, Findings, Paragraph, Section, Table
from medqa_core.report.document.quotation import quotation
from medqa_core.report.facts import Facts
from medqa_core.report.insights import Insight, insights, limitations, next_steps
from medqa_core.report.views.examples import examples
from medqa_core.report.views.figures import settings
from medqa_core.report.views.headline import four
from medqa_core.report.views.model_judge import judge_view
from medqa_core.report.views.verdict import verdict_view
from medqa_core.report.wording import model_judge
from medqa_core.report.wording.caveats import NO_OVERLAP
from medqa_core.report.wording.controls import CONTROLS
from medqa_core.report.wording.examples import rule
from medqa_core.report.wording.headline import limits_line, title
from medqa_core.report.wording.protocol import protocol_lines
from medqa_core.report.wording.verdict import verdict_text
from medqa_core.runs.run import Run

FEW = 3
"""Findings that stand at the top."""
EVALUATION: tuple[tuple[Callable[[Facts], Table | None], str], ...] = (
    (tables.metrics, ""),
    (tables.controls, CONTROLS),
    (tables.clean_subset, f"On the test questions whose reference answer has {NO_OVERLAP}:"),
    (tables.by_question_type, "On the primary metric, by question type:"),
    (tables.by_source, "On the primary metric, by the source of the question:"),
    (answer_tables.of_both, ""),
    (answer_tables.references, answer_tables.TEMPLATES),
    (answer_tables.copied, answer_tables.COPIED),
    (answer_tables.mmlu, ""),
    (answer_tables.scorings, answer_tables.ASKED),
    (answer_tables.letters, ""),
    (tables.tasks, "Every task that the source states, by the harness's names:"),
)
"""The tables of the evaluation in the order in which they are read, each with what has to be said before it."""


_MADE: WeakKeyDictionary[Facts, Document] = WeakKeyDictionary()


def write_up(run: Run | Facts) -> Document:
    """The whole document, from one reading of the run; of the same facts it is made once for all renderers."""
    facts = Facts.of(run)
    if facts not in _MADE:
        _MADE[facts] = _write_up(facts)
    return _MADE[facts]


def _write_up(facts: Facts) -> Document:
    found, headline = insights(facts), four(facts)
    return Document(
        title=title(facts),
        verdict=verdict_text(verdict_view(facts)),
        headline=headline,
        figures=tables.headline(headline),
        findings=Findings(tuple(found[:FEW])),
        limits=limits_line(limitations(facts)),
        sections=tuple(_sections(facts, found)),
    )


def _sections(facts: Facts, found: list[Insight]) -> list[Section]:
    """Every section, in the order in which they are read."""
    stated = settings(facts)
    parts = [
        Section("Run information", (Table.of_fields(records.information(facts)),)),
        Section("Objective", (Paragraph(words(facts.record.description, 500) or "The run states no description."),)),
        Section("Model and data", _model_and_data(facts)),
        Section("Hyper-parameters", (Table.of_fields(stated) if stated else Paragraph("The run states none."),)),
        *_trials(facts),
        Section("Training results", _training(facts)),
        Section("Evaluation", _evaluation(facts)),
        *_two_answers(facts),
        Section("Key findings", _findings(found, "The data of this run support no statement.")),
    ]
    quoted = quotation(facts)
    if quoted is not None:
        note = "These are the source's words. They are quoted here and are no finding of this write-up."
        parts.append(Section("What the source claims", (Paragraph(note), quoted)))
    parts.append(Section("Limitations", _findings(limitations(facts), "None was found.")))
    parts.append(Section("Next steps", _findings(next_steps(facts), "Nothing in the data asks for a next step.")))
    return parts


def _model_and_data(facts: Facts) -> tuple[Block, ...]:
    rows = records.model_and_data(facts)
    return (Table.of_fields(rows) if rows else Paragraph("The run states neither its model nor its data."),)


def _trials(facts: Facts) -> list[Section]:
    """The trials that led to the run; no section where none are written down."""
    if not facts.trials:
        return []
    header, *rows = [tuple(words(cell, 120) for cell in row) for row in facts.trials]
    note = "Trials before this run, as they were written down (trials.csv); not verified by this run's files."
    return [Section("Trials", (Paragraph(note), Table.of(header, rows)))]


def _training(facts: Facts) -> tuple[Block, ...]:
    blocks: list[Block] = [tables.training(facts)]
    if facts.imported:
        blocks.insert(0, Paragraph("The source reports these figures; none was measured here."))
    elif len(facts.metrics_log.train):
        blocks.append(Paragraph("The final training loss is the mean over the last tenth of the logged steps."))
    return tuple(blocks)


def _evaluation(facts: Facts) -> tuple[Block, ...]:
    blocks: list[Block] = [Paragraph(verdict_text(verdict_view(facts)).whole)]
    for make, about in EVALUATION:
        table = make(facts)
        if table is not None:
            blocks += [Paragraph(about), table] if about else [table]
    blocks += _judge(facts)
    measured = protocol_lines(facts.evaluation.protocol) if facts.evaluation else []
    if measured:
        lines = tuple(f"{label}: {text}" for label, text in measured)
        blocks += [Paragraph("How it was measured:"), Bullets(lines)]
    if facts.record.imported is not None and facts.record.imported.checks:
        results = {True: "passes", False: "fails", None: "cannot be checked"}
        checks = facts.record.imported.checks[:20]
        rows = [(words(c.name, 80), results[c.passed], words(c.detail)) for c in checks]
        blocks.append(Table.of(("Check", "Result", "Detail"), rows))
    return tuple(blocks)


def _judge(facts: Facts) -> list[Block]:
    """What a judge model prefers, with what that is worth; nothing where none was asked."""
    view = judge_view(facts)
    if view is None:
        return []
    rows = [(name, count(n)) for name, n in model_judge.choice_rows(view)]
    table = Table.of(("Judge model", Column("Questions", "number")), rows)
    return [Paragraph(model_judge.sentence(view)), table, Bullets(tuple(model_judge.notes(view)))]


def _two_answers(facts: Facts) -> list[Section]:
    """A better and a worse answer; no section where none can be chosen by rank."""
    found = examples(facts)
    return [Section("Two answers", (Paragraph(rule(found)), answer_tables.two_answers(found)))] if found else []


def _findings(found: list[Insight], otherwise: str) -> tuple[Block, ...]:
    return (Findings(tuple(found)) if found else Paragraph(otherwise),)
