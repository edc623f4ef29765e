"""A summary text taken apart: labelled values, and prose by heading. Knows the layout, not what figures mean."""

import re
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
    reader = _Reader()
    rows = text.splitlines()
    reader.found.left_out += max(0, len(rows) - LINES_LIMIT)
    for row in rows[:LINES_LIMIT]:
        reader.read(line(row))
    return reader.found


class _Reader:
    """What was found so far, and under which heading the next line stands."""

    def __init__(self) -> None:
        self.found = SummaryText()
        self._section = self._parent = "Text"
        self._subject = ""
        """What the last figure was about, for a "why?" below it."""

    def read(self, row: str) -> None:
        """Take in one line."""
        if not row:
            self._section = self._parent  # a blank line ends a list of reasons
        elif not (_RULE.fullmatch(row) or self._is_title(row)):
            bare = row[_LEAD.match(row).end() :]  # type: ignore[union-attr]  # every part is optional: it always matches
            if not (self._is_reason(bare) or self._is_labelled(bare)):
                _prose(self.found, self._section, row)

    def _is_title(self, row: str) -> bool:
        """`Run #2 summary`; a run's number counts wherever it stands first."""
        title = _TITLE.search(row)
        if title and self.found.run_number is None:
            self.found.run_number = int(title[1])
        return title is not None and "summary" in row.lower()

    def _is_reason(self, bare: str) -> bool:
        """`Why? …`"""
        why = _WHY.fullmatch(bare)
        if why:
            self._section = f"Why this {self._subject}" if self._subject else "Why"
            _prose(self.found, self._section, why[1])
        return why is not None

    def _is_labelled(self, bare: str) -> bool:
        """`Label: value` of a figure or of another number, or `Heading:`."""
        label = _LABEL.fullmatch(bare)
        if label is None:
            return False
        text, value = label[1], label[2]
        name = _FIGURE.get(_key(text))
        if name and value:
            self._subject = {"base_model": "model", "dataset": "data"}.get(name, self._subject)
            stated = self.found.values.setdefault(name, [])
            if value not in stated and len(stated) < 5:
                stated.append(value)
        elif not value:
            heading = re.sub(r"\s*\(.*\)$", "", text)
            self._section = self._parent = line(heading.capitalize() if heading.isupper() else heading, 80)
        elif re.fullmatch(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?%?", value):
            self.found.others.append((text, value))
        else:
            return False
        return True


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
