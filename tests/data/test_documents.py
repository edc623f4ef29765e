"""Documents of one's own become text page by page; what cannot be used is one sentence each."""

from io import BytesIO
from pathlib import Path

import pypdf
import pytest

from medqa_core.data.documents import read
from medqa_core.foundation.errors import InputError
from tests.support.pdf import pdf, scanned

SCAN = "scan.pdf holds no text, perhaps because it is a scan: run text recognition (OCR) on it."


def test_each_kind_gives_its_title_and_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Rest helps.", encoding="utf-8")
    (tmp_path / "b.md").write_text("# Colds\n\nRest helps.", encoding="utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.html").write_bytes(
        "<html><head><title>Flu – advice</title><style>p{}</style></head><body><nav>Menu</nav><!-- no --><p>Drink "
        "water.</p><p>Sleep.</p><script>alert(1)</script></body></html>".encode()
    )
    (tmp_path / "d.pdf").write_bytes(pdf("Page one rests.", "Page two drinks."))
    (tmp_path / ".hidden.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "e.docx").write_bytes(b"PK")
    found = read(tmp_path)
    assert found.left_out == ()
    assert [(page.file, page.number, page.title) for page in found.pages] == [
        ("a.txt", None, "a"), ("b.md", None, "Colds"), ("d.pdf", 1, "d"), ("d.pdf", 2, "d"),
        ("sub/c.html", None, "Flu – advice"),
    ]  # fmt: skip
    assert [" ".join(page.text.split()) for page in found.pages] == [
        "Rest helps.", "# Colds Rest helps.", "Page one rests.", "Page two drinks.", "Drink water. Sleep.",
    ]  # fmt: skip
    assert [page.text for page in read(tmp_path / "a.txt").pages] == ["Rest helps."]


def encrypted(password: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=BytesIO(pdf("Secret.")))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("scan.pdf", scanned(), SCAN),
        ("locked.pdf", encrypted("secret"), "locked.pdf is encrypted: save it without a password."),
        ("torn.pdf", b"%PDF-1.4 torn", "torn.pdf is torn, or not a PDF."),
        ("empty.txt", b"  \n", "empty.txt holds no text."),
        ("latin.txt", "Grippe für".encode("latin-1"), "latin.txt is not UTF-8 text: save it as UTF-8."),
        ("picture.txt", b"\x00\x01", "picture.txt is not a text file."),
        ("nothing.html", b"", "nothing.html is empty, or not HTML."),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_sentence_and_the_others_are_read(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="holds no document that can be read") as refused:
        read(tmp_path)
    assert str(refused.value).endswith(said)
    (tmp_path / "ok.md").write_text("Rest helps.", encoding="utf-8")
    found = read(tmp_path)
    assert (found.left_out, [page.file for page in found.pages]) == ((said,), ["ok.md"])


def test_a_pdf_that_only_forbids_printing_is_read(tmp_path: Path) -> None:
    (tmp_path / "open.pdf").write_bytes(encrypted(""))
    assert read(tmp_path).pages[0].text.strip() == "Secret."


def test_an_html_page_in_another_encoding_is_read_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "old.html").write_bytes('<meta charset="latin-1"><p>Grippe für Kinder</p>'.encode("latin-1"))
    assert "für" in read(tmp_path).pages[0].text


def test_an_empty_folder_and_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no document that can be read: put files there whose names end in one"):
        read(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        read(tmp_path / "gone")


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "own" / "all").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(InputError, match="holds no document"):
        read(tmp_path / "own")


def test_too_much_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text("Rest helps.", encoding="utf-8")
    monkeypatch.setattr("medqa_core.data.documents.MOST_FILES", 2)
    assert read(tmp_path).left_out == ("Of 3 documents only the first 2 are read.",)
    monkeypatch.setattr("medqa_core.data.documents.MOST_CHARACTERS", 12)
    with pytest.raises(InputError, match="holds more than 12 characters: split it"):
        read(tmp_path)
    monkeypatch.setattr("medqa_core.data.documents.FILE_LIMIT", 2**20)
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(2**20 + 1)
    assert read(tmp_path).left_out[0] == "a.txt is larger than 1 MiB: split it."
