"""MMLU's six medical subsets as the original CSV files, or from the Hugging Face hub.

Hendrycks et al., "Measuring Massive Multitask Language Understanding", ICLR 2021. MIT licence. A file holds no header;
its columns are the question, four choices and the letter of the right one.
"""

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medqa_core.data.hub import PATIENCE
from medqa_core.foundation import files
from medqa_core.foundation.errors import DataUnavailable, UnreadableFile, shorten
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.mmlu import LETTERS, SUBSETS

HUB = "cais/mmlu"
PARTS = ("test", "dev")
AROUND = "set MEDQA_MMLU to a folder with the subsets as CSV (test/anatomy_test.csv, dev/anatomy_dev.csv, …)"


@dataclass(frozen=True)
class Question:
    """One question with four choices."""

    text: str
    choices: tuple[str, ...]
    answer: int
    """Index of the right choice."""


@dataclass(frozen=True)
class MMLUData:
    """The questions by subset, and the examples that a prompt may show before them."""

    test: dict[str, list[Question]]
    examples: dict[str, list[Question]]
    source: str

    @property
    def sha256(self) -> str:
        """Of all that the prompts are made of, wherever it came from."""
        parts = [
            [[subset, [[q.text, q.choices, q.answer] for q in questions]] for subset, questions in part.items()]
            for part in (self.test, self.examples)
        ]
        return files.sha256_text(files.dumps(parts))


Download = Callable[[str], dict[str, list[dict[str, Any]]]]
"""The rows of one subset by part, as the hub has them."""


def load(settings: Settings, shots: int = 0, download: Download | None = None) -> MMLUData:
    """The six subsets with `shots` examples each. `download` is for tests.

    Raises:
        DataUnavailable: the files are not available, or one of them is not what it should be.
    """
    folder = settings.mmlu
    if folder is None:
        folder = _from_hub(settings.cache, download or _download)
    elif not folder.is_dir():
        raise DataUnavailable(f"MEDQA_MMLU names {folder}, which is not a folder; {AROUND}.")
    test = {subset: read(folder / "test" / f"{subset}_test.csv") for subset in SUBSETS}
    examples: dict[str, list[Question]] = {subset: [] for subset in SUBSETS}
    if shots:
        for subset in SUBSETS:
            path = folder / "dev" / f"{subset}_dev.csv"
            found = read(path)
            if len(found) < shots:
                raise DataUnavailable(f"MMLU: {path.name} has {len(found)} of the {shots} examples that are shown.")
            examples[subset] = found[:shots]
    return MMLUData(test, examples, "CSV" if settings.mmlu else HUB)


def read(path: Path) -> list[Question]:
    """The questions of one file.

    Raises:
        DataUnavailable: missing, unreadable, empty, or a row is not a question; the message names file and row.
    """
    try:
        text = files.read_text(path)
    except UnreadableFile as error:
        raise DataUnavailable(f"MMLU: {str(error).rstrip('.')}; {AROUND}.") from error
    found = [_question(path.name, number, row) for number, row in _rows(path.name, text) if row]
    if not found:
        raise DataUnavailable(f"MMLU: {path.name} holds no question.")
    return found


def _rows(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    number = 0
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True), 1):
            yield number, row
    except csv.Error as error:
        raise DataUnavailable(f"MMLU: {name}, row {number + 1}: {error}.") from error


def _question(name: str, number: int, row: Sequence[str]) -> Question:
    where = f"MMLU: {name}, row {number}"
    if len(row) != 6:
        raise DataUnavailable(f"{where}: {len(row)} columns, not 6 (question, four choices, letter of the answer).")
    question, *choices, letter = row
    if letter.strip() not in LETTERS:
        raise DataUnavailable(f"{where}: the answer is {shorten(letter, 20)!r}, not one of {', '.join(LETTERS)}.")
    if not question.strip() or not all(choice.strip() for choice in choices):
        raise DataUnavailable(f"{where}: the question or a choice is empty.")
    return Question(question, tuple(choices), LETTERS.index(letter.strip()))


def _from_hub(cache: Path, download: Download) -> Path:
    """A folder of the hub's rows as CSV in the cache, so that a later run needs no network."""
    folder = cache / "datasets" / "cais--mmlu"
    if not folder.is_dir():
        fetched = {subset: download(subset) for subset in SUBSETS}

        def fill(temporary: Path) -> None:
            for subset, parts in fetched.items():
                for part in PARTS:
                    files.write_text(temporary / part / f"{subset}_{part}.csv", _as_csv(parts[part]))

        try:
            files.write_folder(folder, fill)
        except OSError as error:
            raise DataUnavailable(f"MMLU cannot be written to the cache folder {cache}: {error.strerror}.") from error
    return folder


def _as_csv(rows: Sequence[dict[str, Any]]) -> str:
    target = io.StringIO(newline="")
    writer = csv.writer(target)
    for row in rows:
        writer.writerow([row["question"], *row["choices"], LETTERS[row["answer"]]])
    return target.getvalue()


def _download(subset: str) -> dict[str, list[dict[str, Any]]]:
    # Here and not above: a folder of CSV files must not cost the import of an HTTP client.
    import datasets
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    revision = None
    try:
        with suppress(OfflineModeIsEnabled):  # the cache of `datasets` itself may have it
            # Asked by hand first because `datasets` tries for half a minute before it says that no hub answers.
            revision = HfApi().dataset_info(HUB, timeout=PATIENCE).sha
        parts = datasets.load_dataset(HUB, subset, revision=revision)
        return {part: list(parts[part]) for part in PARTS}
    except (
        httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, TypeError, KeyError, RuntimeError,
        datasets.exceptions.DatasetsError,
    ) as error:  # fmt: skip
        raise DataUnavailable(f"MMLU ({HUB}) is not in the cache and the hub cannot be reached: {AROUND}.") from error
