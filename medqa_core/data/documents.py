"""Documents of one's own as text: a folder of text, Markdown, HTML and PDF files, page by page."""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medqa_core.data.pairs import tidy
from medqa_core.foundation.errors import InputError

FILE_LIMIT = 64 * 2**20
"""Largest document that is read, in bytes."""
MOST_FILES = 5_000
MOST_CHARACTERS = 100_000_000
"""Of all documents together: some 50,000 pages."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a PDF, or a whole document of another kind."""

    file: str
    """Its place below the folder, with `/` between the names."""
    number: int | None
    """From 1; None where the document has no pages."""
    title: str
    text: str


@dataclass(frozen=True)
class Documents:
    """What a folder holds."""

    pages: tuple[Page, ...]
    left_out: tuple[str, ...]
    """A sentence for each file that could not be used: which, why, and what to do."""


def read(path: Path) -> Documents:
    """The documents below a folder, hidden files and links aside, or one document; in the order of their names.

    Raises:
        InputError: there is no such folder, or nothing in it can be used.
    """
    files = documents_in(path)
    pages, left_out, characters = list[Page](), list[str](), 0
    for file in files[:MOST_FILES]:
        name = file.name if file == path else file.relative_to(path).as_posix()
        try:
            found = _pages(file, name)
        except _Unusable as unusable:
            left_out.append(f"{name} {unusable}")
            continue
        characters += sum(len(page.text) for page in found)
        if characters > MOST_CHARACTERS:
            raise InputError(f"{path.name} holds more than {MOST_CHARACTERS:,} characters: split it.", field="library")
        pages += found
    if len(files) > MOST_FILES:
        left_out.append(f"Of {len(files):,} documents only the first {MOST_FILES:,} are read.")
    if not pages:
        kinds = ", ".join(READERS)
        why = left_out[0] if left_out else f"put files there whose names end in one of {kinds}."
        raise InputError(f"{path.name} holds no document that can be read: {why}", field="library")
    return Documents(tuple(pages), tuple(left_out))


def documents_in(path: Path) -> list[Path]:
    """The files below a folder that are documents by their names; the path itself where it is one.

    Raises:
        InputError: there is nothing at the path, or it cannot be looked at.
    """
    if path.is_file():
        return [path] if path.suffix.lower() in READERS else []
    if not path.is_dir():
        raise InputError(f"there is no folder {path}.", field="library")
    return sorted(file for file in _walk(path) if file.suffix.lower() in READERS)


def _walk(folder: Path) -> Iterator[Path]:
    """Links are not followed: a folder of documents must not lead out of itself."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{folder.name} cannot be read: {error.strerror or error}.", field="library") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(place, name)
            if not name.startswith(".") and not path.is_symlink() and path.is_file():  # a pipe would be waited for
                yield path


class _Unusable(Exception):
    """Why a file is left out, as the end of a sentence that begins with its name."""


def _pages(file: Path, name: str) -> list[Page]:
    try:
        if file.stat().st_size > FILE_LIMIT:
            raise _Unusable(f"is larger than {FILE_LIMIT // 2**20} MiB: split it.")
        pages = READERS[file.suffix.lower()](file, name)
    except OSError as error:
        raise _Unusable(f"cannot be read: {error.strerror or error}.") from error
    pages = [page for page in pages if any(c.isalnum() for c in page.text)]
    if not pages:
        recognise = ", perhaps because it is a scan: run text recognition (OCR) on it" * (file.suffix.lower() == ".pdf")
        raise _Unusable(f"holds no text{recognise}.")
    return pages


def _text(file: Path, name: str) -> list[Page]:
    text = _decoded(file.read_bytes())
    heading = next((line.lstrip("# ") for line in text.splitlines() if line.startswith("#")), "")
    return [Page(name, None, tidy(heading) or file.stem, text)]


def _html(file: Path, name: str) -> list[Page]:
    # Here and not above: only who has documents of their own waits for it.
    from lxml import etree, html

    content = file.read_bytes()
    parser = html.HTMLParser(remove_comments=True, remove_pis=True, encoding=_encoding(content))
    try:
        root = html.document_fromstring(content, parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise _Unusable("is empty, or not HTML.") from error
    title = tidy(root.findtext(".//title") or "")
    for element in list(root.iter("head", "script", "style", "template", "noscript", "nav")):
        if element.getparent() is not None:
            element.drop_tree()
    for element in root.iter("p", "div", "li", "td", "th", "br", "tr", "dd", "dt", *(f"h{n}" for n in range(1, 7))):
        element.tail = f"\n{element.tail or ''}"
    return [Page(name, None, title or file.stem, str(root.text_content()))]


def _pdf(file: Path, name: str) -> list[Page]:
    import pypdf
    from pypdf.errors import DependencyError, PyPdfError

    logging.getLogger("pypdf").setLevel(logging.ERROR)  # what it mends by itself is nobody's concern
    broken = (PyPdfError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
    try:
        reader = pypdf.PdfReader(file)
        if reader.is_encrypted and not reader.decrypt(""):
            raise _Unusable(ENCRYPTED)
        title = tidy(str((reader.metadata and reader.metadata.title) or "")) or file.stem
        pages, characters = [], 0
        for number, page in enumerate(reader.pages, 1):
            pages.append(Page(name, number, title, page.extract_text()))
            characters += len(pages[-1].text)
            if characters > MOST_CHARACTERS:  # many pages may share one text, which the file holds once
                raise _Unusable(f"holds more than {MOST_CHARACTERS:,} characters: split it.")
        return pages
    except (DependencyError, NotImplementedError) as error:  # a kind of encryption that needs more than pypdf
        raise _Unusable(ENCRYPTED) from error
    except broken as error:
        raise _Unusable("is torn, or not a PDF.") from error


ENCRYPTED = "is encrypted: save it without a password."
READERS: dict[str, Callable[[Path, str], list[Page]]] = {
    ".txt": _text,
    ".md": _text,
    ".markdown": _text,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
"""By the end of a file's name."""


def _encoding(content: bytes) -> str | None:
    """UTF-8 where the content is; else what the page itself says."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "utf-8"


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unusable("is not UTF-8 text: save it as UTF-8.") from error
    if "\x00" in text:
        raise _Unusable("is not a text file.")
    return text
