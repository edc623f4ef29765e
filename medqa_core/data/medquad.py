"""MedQuAD from its original XML, as the ZIP or its unpacked folder.

Ben Abacha and Demner-Fushman, "A question-entailment approach to question answering", BMC Bioinformatics 20:511
(2019). CC BY 4.0. Its authors removed the answers of three MedlinePlus sources; those questions parse without one.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from medqa_core.data.layout import layout_of
from medqa_core.data.medquad_text import CLEANING, LICENCE, clean_question, split_sizes
from medqa_core.data.pairs import PairSet, QAPair, tidy, with_unique_ids, without_duplicates
from medqa_core.foundation.errors import DataUnavailable

FILE_LIMIT = 4 * 2**20
"""Largest XML file that is parsed, in bytes; the largest of the original is far below it."""


def load(path: Path) -> PairSet:
    """Every answered pair below `path`.

    Raises:
        DataUnavailable: nothing there, not a ZIP or folder, or no MedQuAD document in it.
    """
    parsed, found = 0, []
    for name, content in _documents(path):
        try:
            root = ElementTree.fromstring(content)
        except (ElementTree.ParseError, LookupError, ValueError) as error:  # the last two: an unknown encoding
            raise DataUnavailable(f"MedQuAD: {name} is not valid XML ({error}); fetch the data set again.") from error
        inside = list(_pairs(root))
        parsed += len(inside)
        found += [pair for pair in inside if pair.answer]
    answered = with_unique_ids(found)  # a few of MedQuAD's question ids occur in two documents
    if not answered:
        raise DataUnavailable(
            f"MedQuAD: no answered question in {path.name}; it should hold folders such as 1_CancerGov_QA."
        )
    kept = without_duplicates(answered)
    return PairSet(
        name="medquad",
        title="MedQuAD",
        licence=LICENCE,
        pairs=kept,
        pairs_parsed=parsed,
        pairs_answered=len(answered),
        duplicates_dropped=len(answered) - len(kept),
        filters=CLEANING,
        split_sizes=split_sizes(len(kept)),
    )


def _documents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each XML file, in the order of their names."""
    if path.is_dir():
        try:
            for file in sorted(path.rglob("*.xml")):
                if _is_document(file.name) and file.is_file() and file.stat().st_size <= FILE_LIMIT:
                    yield file.name, file.read_bytes()
        except OSError as error:
            raise DataUnavailable(f"MedQuAD: {path.name} cannot be read: {error.strerror or error}.") from error
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if _is_document(m.filename) and m.file_size <= FILE_LIMIT]
            for member in sorted(members, key=lambda m: m.filename):
                yield member.filename, archive.read(member)
    except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataUnavailable(f"MedQuAD: {path.name} is not a readable ZIP or folder of the original XML.") from error


def _is_document(name: str) -> bool:
    """Not the `._…` twins that a Mac puts beside each file of a ZIP."""
    return name.endswith(".xml") and not name.rpartition("/")[2].startswith(".")


def _pairs(root: ElementTree.Element) -> Iterator[QAPair]:
    source = root.get("source", "unknown")
    document = f"{source}:{root.get('id', '')}"
    topic = tidy(root.findtext("Focus") or "")
    synonyms, concepts = (_texts(root, name) for name in ("Synonym", "CUI"))
    for element in root.iter("QAPair"):
        question = element.find("Question")
        if question is None or not (question.text or "").strip():
            continue
        raw = element.findtext("Answer") or ""
        answer = tidy(raw)
        yield QAPair(
            id=f"{source}:{question.get('qid', '')}",
            document=document,
            topic=topic,
            question_type=tidy(question.get("qtype", "")) or "unknown",
            question=clean_question(question.text or ""),
            answer=answer,
            source=source,
            url=root.get("url"),
            layout=layout_of(raw, answer),
            synonyms=synonyms,
            concepts=concepts,
        )


def _texts(root: ElementTree.Element, name: str) -> tuple[str, ...]:
    """What stands in the elements of this name, each once; they annotate the document's focus."""
    return tuple(dict.fromkeys(text for element in root.iter(name) if (text := tidy(element.text or ""))))
