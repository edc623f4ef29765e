"""Data and documents made to harm: small files that unpack to gigabytes, that name other files, that never end."""

import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow
import pypdf
import pytest
from pyarrow import parquet
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from medqa_core.data import documents, own, tables
from medqa_core.data.readers import file
from medqa_core.foundation.errors import InputError
from tests.support.pdf import pdf

pytestmark = [
    pytest.mark.usefixtures("no_network"),
    pytest.mark.timeout(60),
    # openpyxl leaves a file that it refuses to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
LAUGHS = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaaaaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 30}">' for n in range(9)
)
Edit = Callable[[bytes], bytes]


def sheet(folder: Path, edit: Edit) -> Path:
    """A workbook of one question, its sheet's XML edited."""
    book = openpyxl.Workbook()
    for row in (["question", "answer"], ["What is gout?", "Gout is a kind of arthritis."]):
        book.active.append(row)
    book.save(folder / "plain.xlsx")
    with (
        zipfile.ZipFile(folder / "plain.xlsx") as old,
        zipfile.ZipFile(folder / "my.xlsx", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, edit(content) if name.endswith("sheet1.xml") else content)
    return folder / "my.xlsx"


def with_entity(declared: str, name: str) -> Edit:
    """A document type before the sheet, and a cell that uses it."""

    def edit(content: bytes) -> bytes:
        start = content.index(b"<worksheet")
        cell = f'<row r="3"><c r="A3" t="str"><v>&{name};</v></c></row></sheetData>'.encode()
        return declared.encode() + content[start:].replace(b"</sheetData>", cell)

    return edit


@pytest.mark.parametrize(
    "edit",
    [with_entity(f"{LAUGHS}]>", "j"), with_entity('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "x"),
     with_entity('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">', "x")],
    ids=["entities that multiply", "an entity that is a file", "a document type elsewhere"],
)  # fmt: skip
def test_a_workbooks_entities_are_not_resolved(tmp_path: Path, edit: Edit) -> None:
    with pytest.raises(InputError, match=r"^my\.xlsx is torn, or not an Excel workbook") as error:
        list(file.read(sheet(tmp_path, edit)).rows)
    assert "root:" not in str(error.value)


@pytest.mark.parametrize("said", [b"A1:XFD1048576", b"A1", b"A1:B1", b"<"])
def test_what_a_sheet_says_of_its_size_is_not_believed(tmp_path: Path, said: bytes) -> None:
    path = sheet(tmp_path, lambda content: re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="%b"' % said, content))
    if said == b"<":
        with pytest.raises(InputError, match="is torn, or not an Excel workbook"):
            list(file.read(path).rows)
        return
    (row,) = file.read(path).rows
    assert row.values == {"question": "What is gout?", "answer": "Gout is a kind of arthritis."}


def test_a_sheet_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sheet(tmp_path, lambda content: content)
    monkeypatch.setattr(tables, "FILE_LIMIT", path.stat().st_size + 1)
    with pytest.raises(InputError, match="unpacks to more than"):
        file.read(path)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_text_that_stands_once_for_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """A dictionary column of 400 KB held 5.4 GB of answers."""
    rows = 1000
    answers = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), ["pain " * 200])
    table = pyarrow.table({"question": [f"What is {n}?" for n in range(rows)], "answer": answers})
    path = tmp_path / f"my{suffix}"
    if suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with pyarrow.OSFile(str(path), "wb") as out, pyarrow.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
    monkeypatch.setattr(tables, "FILE_LIMIT", 200_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="my holds more than 200,000 characters of text; split it"):
        own.pairs([file.read(path)], "my", {})


def test_formulas_and_markup_in_cells_are_text(tmp_path: Path) -> None:
    cells = [
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>Rest helps.",
        "@SUM(1+1)",
        '=HYPERLINK("http://evil.test")',
    ]
    (tmp_path / "my.csv").write_text(
        "question,answer\n" + "".join(f'"What is {n}?","{cell.replace(chr(34), chr(34) * 2)}"\n'
                                      for n, cell in enumerate(cells)), encoding="utf-8")  # fmt: skip
    found = own.pairs([file.read(tmp_path / "my.csv")], "my", {})
    assert [pair.answer.startswith(("=", "@")) for pair in found.pairs] == [True, False, True, True]
    assert "<script" not in found.pairs[1].answer and "Rest helps." in found.pairs[1].answer


def shared_text(pages: int, letters: int) -> bytes:
    """A PDF whose pages all show one text."""
    writer = pypdf.PdfWriter()
    font = DictionaryObject({NameObject(key): NameObject(value) for key, value in
                             (("/Type", "/Font"), ("/Subtype", "/Type1"), ("/BaseFont", "/Helvetica"))})  # fmt: skip
    fonts = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): writer._add_object(font)})})
    content = DecodedStreamObject()
    content.set_data(b"BT /F1 12 Tf 10 200 Td (" + b"a" * letters + b") Tj ET")
    shown = writer._add_object(content.flate_encode())
    for _ in range(pages):
        page = writer.add_blank_page(width=300, height=300)
        page[NameObject("/Contents")], page[NameObject("/Resources")] = shown, fonts
    from io import BytesIO

    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def test_a_pdf_whose_pages_share_one_text_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bomb.pdf").write_bytes(shared_text(pages=200, letters=1000))
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 5000)
    read = pypdf.PageObject.extract_text
    seen: list[int] = []

    def counted(page: pypdf.PageObject) -> str:
        seen.append(1)
        return read(page)

    monkeypatch.setattr(pypdf.PageObject, "extract_text", counted)
    with pytest.raises(InputError, match=r"bomb\.pdf holds more than 5,000 characters: split it"):
        documents.read(tmp_path)
    assert len(seen) == 6, "nothing is read beyond the limit"


def test_a_document_names_other_files_and_addresses_in_vain(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><html xmlns:xi="http://www.w3.org/2001/XInclude">'
        '<head><base href="http://127.0.0.1:9/"><link rel="stylesheet" href="http://127.0.0.1:9/a.css"></head>'
        '<p>Rest helps &x; much.</p><img src="file:///etc/passwd"><iframe src="http://127.0.0.1:9/"></iframe>'
        '<xi:include href="file:///etc/passwd" parse="text"/><script src="http://127.0.0.1:9/"></script>'
    )
    (tmp_path / "b.html").write_text("<div>" * 200_000 + "deep")
    (tmp_path / "c.pdf").write_bytes(pdf("Rest helps.").replace(b"/Type /Page\n", b"/Type /Page\n/AA << /O << /S /URI"
                                                                b" /URI (http://127.0.0.1:9/) >> >>\n"))  # fmt: skip
    found = documents.read(tmp_path)
    texts = " ".join(page.text for page in found.pages)
    assert "Rest helps" in texts and "root:" not in texts


def test_a_pipe_among_the_documents_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "b.txt").write_text("Rest helps.")
    assert [page.file for page in documents.read(tmp_path).pages] == ["b.txt"]
