"""Question-answer pairs and MedQuAD-like documents made by hand."""

import zipfile
from pathlib import Path
from typing import Any

from medqa_core.data.pairs import QAPair

GOUT = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="0000001" source="Made" url="https://example.org/gout">
<Focus>  Gout
</Focus>
<QAPairs>
  <QAPair pid="1">
    <Question qid="0000001-1" qtype="information">What is (are)   Gout ?</Question>
    <Answer>Gout is
       a kind\tof arthritis.

       It comes   in attacks. </Answer>
  </QAPair>
  <QAPair pid="2">
    <Question qid="0000001-2" qtype="symptoms">What are the symptoms of Gout ?</Question>
    <Answer></Answer>
  </QAPair>
  <QAPair pid="3">
    <Question qid="0000001-3" qtype="">Who gets gout?</Question>
    <Answer>Mostly men over forty.</Answer>
  </QAPair>
</QAPairs>
</Document>
"""
ASTHMA = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="0000002" source="Made">
<Focus>Asthma</Focus>
<QAPairs>
  <QAPair pid="1">
    <Question qid="0000001-1" qtype="information">What is (are) Asthma ?</Question>
    <Answer>Asthma narrows the airways &amp; makes breathing hard.</Answer>
  </QAPair>
  <QAPair pid="2">
    <Question qid="0000002-2" qtype="information">WHO gets gout!</Question>
    <Answer>mostly men, over forty</Answer>
  </QAPair>
  <QAPair pid="3">
    <Question qid="0000002-3" qtype="information"></Question>
    <Answer>An answer to nothing.</Answer>
  </QAPair>
</QAPairs>
</Document>
"""
LAVITA = """\
document_id,document_source,document_url,category,umls_cui,umls_semantic_types,umls_semantic_group,synonyms,\
question_id,question_focus,question_type,question,answer
0000001,Made,https://example.org/gout,,,,,,0000001-1,Gout,information,What is (are)   Gout ?,"Gout is
 a kind of arthritis."
0000001,Made,https://example.org/gout,,,,,,0000001-2,Gout,symptoms,What are the symptoms of Gout ?,
0000002,Made,,,,,,,0000001-1,Asthma,information,What is (are) Asthma ?,Asthma narrows the airways.
"""
KEIVALYA = """\
qtype,Question,Answer
information,What is (are) Gout ?,Gout is a kind of arthritis.
symptoms,What are the symptoms of Gout ?,"A hot, red toe."
history,Since when is it known ?,Since antiquity.
"""
DOCUMENTS = {"1_Made_QA/0000001.xml": GOUT, "1_Made_QA/0000002.xml": ASTHMA, "readme.txt": "not a document"}


def as_folder(root: Path, documents: dict[str, str] = DOCUMENTS) -> Path:
    """The documents as an unpacked folder."""
    for name, text in documents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def as_zip(path: Path, documents: dict[str, str] = DOCUMENTS, inside: str = "MedQuAD-master/") -> Path:
    """The documents as a ZIP, below one folder as GitHub makes it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(documents, reverse=True):
            archive.writestr(inside + name, documents[name])
    return path


def pair(number: int, **changes: Any) -> QAPair:
    """A pair that shares nothing with one of another number."""
    values = {
        "id": f"p{number:04}",
        "document": f"document {number}",
        "topic": f"topic {number}",
        "question_type": "information",
        "question": f"What is thing {number}?",
        "answer": f"Thing {number} is thing {number}.",
        "source": "made",
    }
    return QAPair(**(values | changes))
