"""What run.json says of a run, its model and its data, as labelled fields: the same labels in files and on pages."""

from medqa_core.foundation.format import count, percent, timestamp, words
from medqa_core.report.facts import Facts
from medqa_core.report.views.figures import INFORMATION_KEYS, show
from medqa_core.report.wording.headline import place
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
        ("Kind", "imported: figures as its source reports them" if facts.imported else "fine-tune"),
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
        ]
    return _stated(rows)


def model_and_data(facts: Facts) -> Fields:
    """The base model, the prompt and the data; of an imported run also what its source says of them."""
    record = facts.record
    stated = record.imported.figures if record.imported else {}
    rows = model_fields(record.base_model) if record.base_model is not None else []
    if record.prompt:
        rows.append(("Prompt", record.prompt))
    if record.data is not None:
        rows += data_fields(record.data)
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
    sizes = f"{split.train:,} training / {split.validation:,} validation / {split.test:,} test" if split else ""
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
