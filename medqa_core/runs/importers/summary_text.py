"""A summary text taken apart: labelled values, and prose by heading. Knows the layout, not what figures mean."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import ftfy

from medqa_core.runs.importers.source import line

LINES_LIMIT = 4000
SECTIONS_LIMIT = 50
PROSE_LIMIT = 200
"""Lines of prose kept of one section."""

LABELS = {
    "date": ("date", "run date"),
    "device": ("device",),
    "torch": ("pytorch", "torch", "pytorch version"),
    "transformers": ("transformers", "transformers version"),
    "python": ("python", "python version"),
    "base_model": ("model", "base model"),
    "dataset": ("dataset", "data"),
    "size": ("size", "split", "dataset size", "data size"),
    "total_size": ("total", "total size", "total examples"),
    "learning_rate": ("learning rate", "lr"),
    "batch_size": ("batch size", "batch"),
    "effective_batch": ("effective batch", "effective batch size"),
    "gradient_accumulation_steps": (
        "accumulation",
        "gradient accumulation",
        "gradient accumulation steps",
        "accumulation steps",
    ),
    "epochs": ("epochs", "num epochs", "number of epochs"),
    "max_tokens": ("max length", "max tokens", "max sequence length", "max seq length"),
    "weight_decay": ("weight decay",),
    "warmup_steps": ("warmup steps", "warmup"),
    "temperature": ("generation temperature", "temperature"),
    "seed": ("seed", "random seed"),
    "train_minutes": ("training time", "train time"),
    "final_train_loss": ("final training loss", "training loss", "train loss", "final train loss"),
    "validation_loss": ("validation loss", "eval loss", "final validation loss"),
    "samples_per_second": ("samples/second", "samples per second", "samples/sec", "samples/s"),
    "test_loss": ("test loss",),
    "perplexity": ("perplexity", "test perplexity"),
    "rouge1": ("rouge-1", "rouge-1 f1"),
    "rouge2": ("rouge-2", "rouge-2 f1"),
    "rougeL": ("rouge-l", "rouge-l f1"),
    "mmlu": ("mmlu", "mmlu benchmark", "mmlu accuracy"),
}
"""Figure name: the labels it goes by."""

_RULE = re.compile(r"[\W_]*")
_LEAD = re.compile(r"^(?:[\W_]*)(?:\d{1,2}[.)]\s+)?")
_LABEL = re.compile(r"([A-Za-z][^:?]{0,60}?)\s*:\s*(.*)")
_WHY = re.compile(r"why\s*\?\s*(.*)", re.IGNORECASE)
_TITLE = re.compile(r"\brun\s*#\s*(\d{1,6})(?!\d)", re.IGNORECASE)


def _key(label: str) -> str:
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\(.*?\)", "", label.lower()))


_FIGURE = {_key(label): figure for figure, labels in LABELS.items() for label in labels}


@dataclass
class SummaryText:
    """One summary: `values` by figure name with every value stated for it, and `sections` of prose by heading."""

    run_number: int | None = None
    values: dict[str, list[str]] = field(default_factory=dict)
    others: list[tuple[str, str]] = field(default_factory=list)
    """Labels that this program does not know, with their values."""
    sections: dict[str, list[str]] = field(default_factory=dict)
    left_out: int = 0
    """Lines beyond the limits."""

    @property
    def prose_lines(self) -> int:
        """Lines of prose in all sections."""
        return sum(len(lines) for lines in self.sections.values())


def repair(text: str) -> str:
    """`text` with UTF-8 that was once misread (as Mac Roman, say) put right; correct text is left as it is.

    The text is tried as a whole first, as there are few such characters on one line to judge by.
    """
    whole = ftfy.fix_encoding(text)
    if whole != text or text.isascii():
        return whole
    return "\n".join(row if row.isascii() else ftfy.fix_encoding(row) for row in text.split("\n"))


def parse(text: str) -> SummaryText:
    """Take a summary apart; lines that fit nowhere count as prose of the section they stand in."""
    found = SummaryText()
    section, parent, subject = "Text", "Text", ""
    for row in _rows(text, found):
        if not row:
            section = parent  # a blank line ends a list of reasons
            continue
        if _RULE.fullmatch(row):
            continue
        title = _TITLE.search(row)
        if title and found.run_number is None:
            found.run_number = int(title[1])
        if title and "summary" in row.lower():
            continue
        bare = row[_LEAD.match(row).end() :]  # type: ignore[union-attr]  # every part is optional: it always matches
        why = _WHY.fullmatch(bare)
        if why:
            section = f"Why this {subject}" if subject else "Why"
            _prose(found, section, why[1])
            continue
        label = _LABEL.fullmatch(bare)
        name = _FIGURE.get(_key(label[1])) if label else None
        if label and name and label[2]:
            subject = {"base_model": "model", "dataset": "data"}.get(name, subject)
            stated = found.values.setdefault(name, [])
            if label[2] not in stated and len(stated) < 5:
                stated.append(label[2])
        elif label and not label[2]:
            heading = re.sub(r"\s*\(.*\)$", "", label[1])
            section = parent = line(heading.capitalize() if heading.isupper() else heading, 80)
        elif label and re.fullmatch(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?%?", label[2]):
            found.others.append((label[1], label[2]))
        else:
            _prose(found, section, row)
    return found


def _rows(text: str, found: SummaryText) -> Iterator[str]:
    rows = text.splitlines()
    found.left_out += max(0, len(rows) - LINES_LIMIT)
    for row in rows[:LINES_LIMIT]:
        yield line(row)


def _prose(found: SummaryText, section: str, text: str) -> None:
    text = re.sub(r"^[-•*·]\s*", "", text.strip())
    if not text:
        return
    if section not in found.sections and len(found.sections) >= SECTIONS_LIMIT:
        found.left_out += 1
        return
    lines = found.sections.setdefault(section, [])
    if len(lines) < PROSE_LIMIT:
        lines.append(text)
    else:
        found.left_out += 1
