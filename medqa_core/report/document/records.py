"""What run.json says of a run, its model and its data, as labelled fields: the same labels in files and on pages."""

from medqa_core.foundation.format import count, percent, place, timestamp, words
from medqa_core.report.facts import Facts
from medqa_core.report.views.figures import INFORMATION_KEYS, show
from medqa_core.runs.schema.record import BaseModelRecord, DataRecord

Fields = list[tuple[str, str]]
ENVIRONMENT = ("device", "precision", "threads", "python", "torch", "transformers")
STATED_MODEL = ("model", "base_model", "parameters", "dataset")
STATED = (*STATED_MODEL, "train_size", "validation_size", "test_size")
"""What an imported run's source may state of its model and its data."""


def information(facts: Facts) -> Fields:
    """The run itself: number, date, machine, and where an imported one comes from."""
    record, environment = facts.record, facts.record.environment
    stated = record.imported.figures if record.imported else {}
    rows: Fields = [
        ("Run", f"#{record.number}" if record.number is not None else ""),
        ("Id", words(facts.run.id, 64)),
        ("Date", timestamp(record.created_at)),
        ("Kind", _kind(facts)),
    ]
    for name in ENVIRONMENT:
        value = record.precision if name == "precision" else getattr(environment, name)
        value = stated.get(name) if value is None else value
        if value is not None or name not in ("precision", "threads"):
            rows.append((INFORMATION_KEYS.get(name, name.capitalize()), show(value)))
    rows.append(("MedQA Lab", words(record.code_version or "", 80)))
    if record.imported is not None:
        rows += [
            ("Source", place(record.imported.source)),
            ("Source format", record.imported.format),
            ("Source SHA-256", record.imported.sha256 or ""),
            ("Of the source", " ".join(words(note, 400) for note in record.imported.notes[:8])),
        ]
    return _stated(rows)


def _kind(facts: Facts) -> str:
    imported = facts.record.imported
    if facts.imported:
        return "imported: figures as its source reports them"
    if imported is None or imported.model is None:
        return "fine-tune"
    what = {"adapter": "adapter", "fine_tune": "fine-tuned model", "other_model": "model, compared with another one"}
    where = f" ({place(imported.model.folder)})" if imported.model.folder else ""
    return f"imported {what[imported.model.kind]}{where}: trained elsewhere, measured here"


def model_and_data(facts: Facts) -> Fields:
    """The base model, the prompt and the data; of an imported run also what its source says of them."""
    record = facts.record
    stated = record.imported.figures if record.imported else {}
    rows = model_fields(record.base_model) if record.base_model is not None else []
    if record.prompt:
        rows.append(("Prompt", record.prompt))
    if record.data is not None:
        rows += data_fields(record.data)
    if record.imported is not None and record.imported.model is not None:
        rows += [
            ("Revision that was imported", words(record.imported.model.revision or "", 80)),
            ("Base that the source names", words(record.imported.model.named_base or "", 120)),
            ("On import", " ".join(words(note, 300) for note in record.imported.model.notes[:8])),
        ]
    if record.evaluated_on is not None:
        trained_on = record.evaluated_on.trained_on
        rows.append(("Trained on", place(trained_on) if trained_on else "not known here"))
    known = {label for label, _ in rows}
    for name in STATED if record.data is None or record.data.split is None else STATED_MODEL:
        label = INFORMATION_KEYS[name]
        if name in stated and label not in known:
            known.add(label)
            rows.append((label, show(stated[name])))
    return _stated(rows)


def model_fields(model: BaseModelRecord) -> Fields:
    """The base model."""
    return _stated(
        [
            ("Model", place(model.id)),
            ("Revision", words(model.revision or "", 80)),
            ("Parameters", count(model.parameters) if model.parameters else ""),
            ("SHA-256", model.sha256 or ""),
        ]
    )


def data_fields(data: DataRecord) -> Fields:
    """The data set, its cleaning and its split."""
    split, share = data.split, data.truncated_share
    parts = [(split.train, "training"), (split.validation, "validation"), (split.test, "test")] if split else []
    # A model that was trained elsewhere has no validation set here, and maybe no training set that is known.
    sizes = " / ".join(f"{n:,} {name}" for n, name in parts if n or name == "test")
    return _stated(
        [
            ("Data", place(data.source)),
            ("Licence of the data", words(data.licence or "", 120)),
            ("Pairs parsed", _count(data.pairs_parsed)),
            ("Pairs with an answer", _count(data.pairs_answered)),
            ("Duplicates dropped", _count(data.duplicates_dropped)),
            ("Split", sizes),
            ("Split method", words(data.split_method or "")),
            ("Split hash", data.split_hash or ""),
            ("Filters", "; ".join(words(f, 120) for f in data.filters[:12])),
            ("Truncated training examples", percent(share) if share is not None else ""),
        ]
    )


def _stated(rows: Fields) -> Fields:
    return [(label, text) for label, text in rows if text]


def _count(n: int | None) -> str:
    return "" if n is None else count(n)
