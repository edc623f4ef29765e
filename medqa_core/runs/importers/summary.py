"""A summary text becomes a draft: what its labels mean, what it does not say, whether its figures agree."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

from medqa_core.foundation.errors import InputError
from medqa_core.runs.importers import checks
from medqa_core.runs.importers.draft import NO_ANSWERS, NO_BASE_FIGURES, NO_DATE, NO_MMLU, Draft, Figures, evaluation_of
from medqa_core.runs.importers.source import decode, file_name, line, slug
from medqa_core.runs.importers.summary_text import SummaryText, parse, repair
from medqa_core.runs.schema.evaluation import ROUGE
from medqa_core.runs.schema.record import BaseModelRecord, Check, EnvironmentRecord

TEXT_LIMIT = 256 * 1024
DIGITS = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,15})?"
NUMBER = rf"{DIGITS}(?:[eE][-+]?\d{{1,3}})?(?!\w|[.,]\d)"
TEXTS = ("date", "device", "torch", "transformers", "python", "dataset")
MINUTES = {"s": 1 / 60, "m": 1.0, "h": 60.0}

MISSING = {
    "validation_loss": "Validation loss.",
    "seed": "Seed: the run cannot be repeated exactly.",
    "gradient_accumulation_steps": "Accumulation: only the effective batch is stated.",
}
NEVER_SAID = (
    NO_BASE_FIGURES,
    "Loss curve: only the figures at the end are stated.",
    NO_ANSWERS,
    "Number of questions behind each figure.",
    "How the data were split, and the split's hash: whether test topics were trained on cannot be told.",
    "Learning-rate schedule and optimizer.",
    "Base model's revision, prompt format, and which variant of ROUGE.",
)


def read_summary(path: Path, content: bytes, keep_prose: bool) -> Draft:
    """A summary text as a draft.

    Raises:
        InputError: binary, not UTF-8, too large, or not a summary.
    """
    name = file_name(path)
    if len(content) > TEXT_LIMIT:
        raise InputError(f"{name} is larger than {TEXT_LIMIT // 1024} KiB of text; it was not read.")
    text = parse(repair(decode(content, name)))
    figures, missing, found_checks = _figures(text)
    if not any(n in figures.values for n in ("test_loss", "final_train_loss", "perplexity", *ROUGE)):
        raise InputError(f"{name} states no result: no line such as `Test Loss: 2.04` or `ROUGE-1: 0.22`.")

    model, dataset = (str(figures.values.get(n, "")) for n in ("base_model", "dataset"))
    short_model, short_data = (re.sub(r"\s*\(.*", "", value) or value for value in (model, dataset))
    subject = " on ".join(part for part in (short_model, short_data) if part)
    run = f"Run #{text.run_number}" if text.run_number is not None else ""
    draft = Draft(
        format="summary",
        source=name,
        sha256=hashlib.sha256(content).hexdigest(),
        figures=figures,
        suggested_id=slug(run or Path(name).stem),
        title=subject or run or name,
        number=text.run_number,
        created_at=_date(figures, missing),
        missing=missing,
        checks=found_checks,
    )
    if short_model:
        draft.base_model = BaseModelRecord(id=short_model, parameters=figures.count("base_model_parameters"))
    draft.environment = EnvironmentRecord(
        **{n: str(v) for n in ("device", "torch", "transformers", "python") if (v := figures.values.get(n)) is not None}
    )
    _say_missing(draft, text)
    _keep_prose(draft, text, keep_prose)
    draft.checks += [
        checks.perplexity(figures),
        checks.throughput(figures),
        checks.effective_batch(figures),
        checks.sizes(figures),
        checks.warmup(figures),
        checks.rouge(figures),
        *checks.training_against_test(figures),
    ]
    draft.evaluation = evaluation_of(figures)
    return draft


def _figures(text: SummaryText) -> tuple[Figures, list[str], list[Check]]:
    """Every labelled value as a figure; what could not be read, and what is stated twice and differently."""
    figures, unread, twice = Figures(), [], []
    figures.add("run_number", text.run_number)
    for name, stated in text.values.items():
        value = stated[0]
        if len(stated) > 1:
            detail = f"Stated as {' and as '.join(line(s, 60) for s in stated)}; the first is shown."
            twice.append(Check(name=f"{name} is stated once", passed=False, detail=detail))
        if not _add(figures, name, value):
            unread.append(f"{name}: the source says {line(value, 60)!r}, which is not a finite number.")
    for label, value in text.others:
        figures.add(slug(line(label, 60)).replace("-", "_"), *_number(value))
    return figures, unread, twice


def _add(figures: Figures, name: str, value: str) -> bool:
    """Take in what is stated of one figure; whether something could be read of it."""
    if name in TEXTS:
        return figures.add(name, value)
    return _SPECIAL.get(name, _add_number)(figures, name, value)


def _add_number(figures: Figures, name: str, value: str) -> bool:
    return figures.add(name, *_number(value))


def _add_base_model(figures: Figures, name: str, value: str) -> bool:
    """The model's name, and its size where it stands behind it."""
    size = re.search(rf"({DIGITS})\s*([MBK]?)\s*param", value, re.IGNORECASE)
    if size:
        scale = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9}[size[2].upper()]
        figures.add("base_model_parameters", round(float(size[1].replace(",", "")) * scale))
    return figures.add(name, value)


def _add_sizes(figures: Figures, _name: str, value: str) -> bool:
    """`3500 train / 750 val / 750 test`."""
    parts = re.findall(r"(\d[\d,]{0,14})\s*(train|val|test)", value, re.IGNORECASE)
    names = {"train": "train_size", "val": "validation_size", "test": "test_size"}
    for count, part in parts:
        figures.add(names[part.lower()], int(count.replace(",", "")))
    return bool(parts)


def _add_mmlu(figures: Figures, name: str, value: str) -> bool:
    """An accuracy, or the name of the file that holds it."""
    where = re.search(r"[\w./-]+\.json", value)
    return figures.add("mmlu_results", f"see {where[0]}") if where else _add_number(figures, name, value)


def _add_batch_size(figures: Figures, name: str, value: str) -> bool:
    """`8 (effective: 32)`."""
    effective = re.search(rf"effective\D{{0,12}}({NUMBER})", value, re.IGNORECASE)
    if effective:
        figures.add("effective_batch", *_number(effective[1]))
    return _add_number(figures, name, value)


def _add_minutes(figures: Figures, name: str, value: str) -> bool:
    """A time in minutes unless its unit says otherwise."""
    parsed, digits = _number(value)
    unit = re.search(r"\d\s*([smh])", value.lower())
    minutes = MINUTES[unit[1]] if unit else 1.0
    if parsed is None or minutes == 1:
        return figures.add(name, parsed, digits)
    return figures.add(name, parsed * minutes, digits)


_SPECIAL = {
    "base_model": _add_base_model,
    "size": _add_sizes,
    "mmlu": _add_mmlu,
    "batch_size": _add_batch_size,
    "train_minutes": _add_minutes,
}
"""Figures that are stated in a way of their own."""


def _number(value: str) -> tuple[float | int | None, str]:
    """The number that `value` starts with, and its digits; a percentage becomes a share."""
    found = re.match(rf"({NUMBER})\s*(%?)", value)
    if not found:
        return None, ""
    digits = found[1].replace(",", "")
    if found[2]:
        return float(digits) / 100, f"{digits}e-2" if "e" not in digits.lower() else digits
    return (float(digits) if re.search(r"[.eE]", digits) else int(digits)), digits


def _date(figures: Figures, missing: list[str]) -> datetime | None:
    stated = figures.values.get("date")
    try:
        date = datetime.fromisoformat(str(stated))
    except ValueError:
        missing.append(NO_DATE)
        return None
    if date.tzinfo is None:
        missing.append("Date's time zone: shown as if it were UTC.")
        return date.replace(tzinfo=UTC)
    return date


def _say_missing(draft: Draft, text: SummaryText) -> None:
    values = draft.figures.values
    draft.missing += NEVER_SAID
    draft.missing += [words for name, words in MISSING.items() if name not in values]
    if "mmlu_results" in values:
        draft.missing.append("MMLU scores: the source only names the file that holds them.")
    elif "mmlu" not in values:
        draft.missing.append(NO_MMLU)
    for name in ("test_loss", "perplexity", *ROUGE, "final_train_loss"):
        if name not in values and name not in text.values:
            draft.missing.append(f"{name}: not stated.")
    if text.left_out:
        draft.missing.append(f"{text.left_out} lines beyond what is kept of a summary.")


def _keep_prose(draft: Draft, text: SummaryText, keep: bool) -> None:
    if keep:
        draft.sections = text.sections
        draft.description = " ".join(text.sections.get("Objective", []))[:1000]
    elif text.prose_lines:
        draft.missing.append(
            f"The source's own words: {text.prose_lines} lines under {len(text.sections)} headings, left out on import."
        )
