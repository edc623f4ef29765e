"""The write-up of a run, section by section; how it is written down is the renderers' affair."""

from collections.abc import Callable

from medqa_core.foundation.format import count, percent, timestamp, words
from medqa_core.report import answer_tables, protocol, tables
from medqa_core.report.blocks import FIELDS, Block, Section, Table
from medqa_core.report.copies import MEANING
from medqa_core.report.facts import Facts
from medqa_core.report.figures import INFORMATION_KEYS, settings, show
from medqa_core.report.headline import four_table, limits_line, place, title
from medqa_core.report.insights import Insight, insights, limitations, next_steps
from medqa_core.report.quotation import quotation
from medqa_core.report.verdict import sentence
from medqa_core.runs.run import Run

__all__ = ["Section", "Table", "bullet", "sections", "title", "top"]

Rows = list[tuple[str, str]]

EVALUATION: tuple[tuple[Callable[[Facts], Table | None], str], ...] = (
    (tables.metrics, ""),
    (
        tables.clean,
        "On the test questions whose reference shares no run of 13 words with a training answer:",
    ),
    (tables.by_question_type, "On the primary metric, by kind of question:"),
    (tables.by_source, "On the primary metric, by the source of the question:"),
    (answer_tables.generations, ""),
    (answer_tables.copied, MEANING),
    (answer_tables.mmlu, ""),
    (answer_tables.letters, ""),
)
"""The tables of the evaluation in the order in which they are read, each with what has to be said before it."""


def sections(run: Run | Facts) -> list[Section]:
    """Every section, in the order in which they are read."""
    facts = Facts.of(run)
    parts = [
        Section("Run information", (_pairs(_information(facts)),)),
        Section("Objective", (words(facts.record.description, 500) or "The run states no description.",)),
        Section("Model and data", _model_and_data(facts)),
        Section("Hyper-parameters", (_pairs(settings(facts)) if settings(facts) else "The run states none.",)),
        *_tried(facts),
        Section("Training results", _training(facts)),
        Section("Evaluation", _evaluation(facts)),
        Section("What the data show", _insights(insights(facts), "The data of this run support no statement.")),
    ]
    quoted = quotation(facts)
    if quoted is not None:
        note = "These are the source's words. They are quoted here and are no finding of this write-up."
        parts.append(Section("What the source claims", (note, quoted)))
    parts.append(Section("Limitations", _insights(limitations(facts), "None was found.")))
    parts.append(Section("What next", _insights(next_steps(facts), "Nothing in the data asks for a next step.")))
    return parts


def top(run: Run | Facts) -> tuple[Block, ...]:
    """What stands above the sections: the answer, the four figures, three findings, the limits."""
    facts = Facts.of(run)
    findings = [_with_evidence(i) for i in insights(facts)[:3]]
    blocks: list[Block] = [sentence(facts), four_table(facts), findings, limits_line(facts)]
    return tuple(block for block in blocks if block)


def bullet(insight: Insight) -> str:
    """An insight on one line: the sentence, its evidence, and when it would be false."""
    return f"{_with_evidence(insight)} False if {insight.false_if}."


def _with_evidence(insight: Insight) -> str:
    return f"{insight.sentence} Evidence: {'; '.join(piece.rstrip('.') for piece in insight.evidence)}."


def _pairs(rows: Rows) -> Table:
    return Table(FIELDS, tuple(rows))


def _information(facts: Facts) -> Rows:
    record, environment = facts.record, facts.record.environment
    stated = record.imported.figures if record.imported else {}
    rows: Rows = [
        ("Run", f"#{record.number}" if record.number is not None else ""),
        ("Id", words(facts.run.id, 64)),
        ("Date", timestamp(record.created_at)),
        ("Kind", "imported: figures as its source reports them" if facts.imported else "fine-tune"),
    ]
    for name in ("device", "threads", "python", "torch", "transformers"):
        value = getattr(environment, name)
        label = INFORMATION_KEYS.get(name, name.capitalize())
        rows.append((label, show(value if value is not None else stated.get(name))))
    rows.append(("MedQA Lab", words(record.code_version or "", 80)))
    if record.imported is not None:
        rows += [
            ("Source", place(record.imported.source)),
            ("Source format", record.imported.format),
            ("Source SHA-256", record.imported.sha256 or ""),
        ]
    return [(label, text) for label, text in rows if text and (text != "not stated" or label != "Threads")]


def _model_and_data(facts: Facts) -> tuple[Block, ...]:
    record = facts.record
    stated = record.imported.figures if record.imported else {}
    model, data = record.base_model, record.data
    rows: Rows = []
    if model is not None:
        rows = [
            ("Model", place(model.id)),
            ("Revision", words(model.revision or "", 80)),
            ("Parameters", count(model.parameters) if model.parameters else ""),
            ("SHA-256", model.sha256 or ""),
        ]
    if record.prompt:
        rows.append(("Prompt", record.prompt))
    if data is not None:
        split = data.split
        sizes = f"{split.train:,} training / {split.validation:,} validation / {split.test:,} test" if split else ""
        share = data.truncated_share
        rows += [
            ("Data", place(data.source)),
            ("Licence of the data", words(data.licence or "", 120)),
            ("Pairs parsed", count(data.pairs_parsed) if data.pairs_parsed is not None else ""),
            ("Pairs with an answer", count(data.pairs_answered) if data.pairs_answered is not None else ""),
            ("Duplicates dropped", count(data.duplicates_dropped) if data.duplicates_dropped is not None else ""),
            ("Split", sizes),
            ("Split method", words(data.split_method or "")),
            ("Split hash", data.split_hash or ""),
            ("Filters", "; ".join(words(f, 120) for f in data.filters[:12])),
            ("Examples cut at the limit", percent(share) if share is not None else ""),
        ]
    known = {label for label, text in rows if text}
    for name in ("model", "base_model", "parameters", "dataset", "train_size", "validation_size", "test_size"):
        label = INFORMATION_KEYS[name]
        if name in stated and label not in known and not (data and data.split and name.endswith("_size")):
            known.add(label)
            rows.append((label, show(stated[name])))
    rows = [(label, text) for label, text in rows if text]
    return (_pairs(rows),) if rows else ("The run states neither its model nor its data.",)


def _tried(facts: Facts) -> list[Section]:
    """The trials that led to the run; no section where none are written down."""
    if not facts.trials:
        return []
    header, *rows = [tuple(words(cell, 120) for cell in row) for row in facts.trials]
    note = "Trials before this run, as they were written down (trials.csv); no file of this run bears them out."
    return [Section("What was tried", (note, Table(header, tuple(rows))))]


def _training(facts: Facts) -> tuple[Block, ...]:
    blocks: list[Block] = [tables.training(facts)]
    if facts.imported:
        blocks.insert(0, "The source reports these figures; none was measured here.")
    elif len(facts.metrics_log.train):
        blocks.append("The final training loss is the mean over the last tenth of the logged steps.")
    return tuple(blocks)


def _evaluation(facts: Facts) -> tuple[Block, ...]:
    blocks: list[Block] = [sentence(facts)]
    for make, about in EVALUATION:
        table = make(facts)
        if table is not None:
            blocks += [about, table] if about else [table]
    measured = protocol.lines(facts.evaluation.protocol) if facts.evaluation else []
    if measured:
        blocks.append("How it was measured:")
        blocks.append([f"{label}: {text}" for label, text in measured])
    if facts.record.imported is not None and facts.record.imported.checks:
        results = {True: "passes", False: "fails", None: "cannot be checked"}
        checks = facts.record.imported.checks[:20]
        rows = tuple((words(c.name, 80), results[c.passed], words(c.detail)) for c in checks)
        blocks.append(Table(("Check", "Result", "Detail"), rows))
    return tuple(blocks)


def _insights(found: list[Insight], otherwise: str) -> tuple[Block, ...]:
    return ([bullet(insight) for insight in found],) if found else (otherwise,)
