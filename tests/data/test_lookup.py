"""The texts behind question ids, or why they cannot be shown."""

from dataclasses import replace
from pathlib import Path

from medqa_core.data.lookup import texts
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import now
from tests.support.qa_pairs import as_zip


def record(config: TrainConfig | None) -> RunRecord:
    return RunRecord(id="r", title="r", kind="finetune", created_at=now(), config=config)


def test_the_starter_sets_texts(lab: Settings) -> None:
    found, why = texts(record(TrainConfig()), lab)
    assert why == ""
    assert found is not None
    assert found["starter:anemia-causes"].topic == "Anemia"


def test_medquad_where_it_is_in_reach(lab: Settings, tmp_path: Path) -> None:
    medquad = record(TrainConfig(dataset="medquad"))
    found, why = texts(medquad, replace(lab, medquad=as_zip(tmp_path / "MedQuAD.zip")))
    assert found is not None
    assert "Made:0000001-1~2" in found
    assert why == ""
    found, why = texts(medquad, lab)
    assert found is None
    assert "set MEDQA_MEDQUAD" in why


def test_a_damaged_medquad_gives_its_reason(lab: Settings, tmp_path: Path) -> None:
    (tmp_path / "MedQuAD.zip").write_text("nothing")
    found, why = texts(record(TrainConfig(dataset="medquad")), replace(lab, medquad=tmp_path / "MedQuAD.zip"))
    assert found is None
    assert "not a readable ZIP" in why


def test_a_run_that_names_no_data_set(lab: Settings) -> None:
    assert texts(record(None), lab) == (None, "This run does not say which questions it was tested on.")
    found, why = texts(record(TrainConfig(dataset="something of their own")), lab)
    assert found is None
    assert why.startswith("dataset: 'something of their own' is not known")


def test_a_table_with_the_columns_of_the_configuration(lab: Settings, tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text("Frage,Antwort,id\nWas?,Das.,7\n")
    own = TrainConfig(dataset=str(tmp_path / "my.csv"), columns={"question": "Frage", "answer": "Antwort"})
    found, why = texts(record(own), lab)
    assert why == ""
    assert found is not None
    assert found["7"].question == "Was?"
    found, why = texts(record(own), replace(lab, public=True))
    assert found is None
    assert why == "This is a public demo: data sets that are files of its machine are not shown."
    found, _ = texts(record(TrainConfig()), replace(lab, public=True))
    assert found is not None


def test_a_reader_fetches_nothing(lab: Settings, no_network: None) -> None:
    found, why = texts(record(TrainConfig(dataset="some/one")), lab)
    assert found is None
    assert "is not in the cache" in why
