"""Data sets of the hub: through `datasets`, once; without the hub, one sentence that says how to get round it."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import huggingface_hub
import pytest

from medqa_core.data import hub, sources
from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.settings import Settings
from tests.support.qa_pairs import KEIVALYA, LAVITA


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=tmp_path / "cache", medquad=None, mmlu=None, public=False)


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine from which no hub answers."""

    def refuse(*_: Any, **__: Any) -> None:
        raise httpx2.ConnectError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)


def through_datasets(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A download that lets the real `datasets` load a local folder in place of the hub."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")

    def download(name: str, target: Path) -> dict[str, Any]:
        hub.write_parquet(str(folder), None, target)
        return {"revision": "0" * 40, "licence": "cc0-1.0"}

    return download


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("lavita/MedQuAD", LAVITA, 2),
        ("keivalya/MedQuad-MedicalQnADataset", KEIVALYA, 3),
        ("some/one", "q,a\nWhat?,That.\n", 1),
    ],
)
def test_fetched_once_through_datasets_and_read_from_the_cache(
    name: str, text: str, count: int, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_hub: None
) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "train.csv").write_text(text)
    hub.ensure(name, settings.cache, through_datasets(tmp_path / "copy", monkeypatch, tmp_path))
    data = sources.load(name, settings, fetch=False)
    assert len(data.pairs) == count
    assert data.name == name
    assert data.licence == ("cc0-1.0" if name == "some/one" else "CC BY 4.0")
    assert sources.load(name, settings) is data
    if name == "lavita/MedQuAD":
        assert sources.load("medquad", settings).pairs == data.pairs


@pytest.mark.usefixtures("no_hub")
def test_without_the_hub_one_sentence_says_what_to_do(settings: Settings) -> None:
    for name in ("lavita/MedQuAD", "medquad"):
        with pytest.raises(DataUnavailable) as caught:
            sources.load(name, settings)
        said = str(caught.value)
        assert said.startswith(
            "lavita/MedQuAD is not in the cache and the hub cannot be reached; set MEDQA_MEDQUAD to "
        )
        assert "or use the starter set" in said and said.count(". ") == 0
    with pytest.raises(DataUnavailable, match=r"^some/one is not in the cache .* give a folder"):
        sources.load("some/one", settings)
    assert not list(settings.cache.rglob("*.parquet"))


def test_readers_do_not_fetch(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ensure", lambda *_: pytest.fail("fetched"))
    with pytest.raises(DataUnavailable, match=r"`medqa data fetch some/one` fetches it"):
        sources.load("some/one", settings, fetch=False)


def test_what_has_to_be_fetched_first(settings: Settings, tmp_path: Path) -> None:
    assert [name for name in ("medquad", "some/one") if not sources.to_fetch(name, settings)] == []
    (tmp_path / "my.csv").write_text("question,answer")
    here = replace(settings, medquad=tmp_path)
    for name, place in (
        ("starter", settings),
        ("medquad", here),
        (str(tmp_path / "my.csv"), settings),
        ("x", settings),
    ):
        assert not sources.to_fetch(name, place)
        with pytest.raises(InputError, match="is here already, or is no data set of the hub"):
            sources.fetch(name, place)


def test_fetching_tells_how_many_bytes_have_come(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    card: dict[str, Any] = {"license": "cc0-1.0", "dataset_info": {"download_size": 3000}}
    info = SimpleNamespace(sha="0" * 40, card_data=huggingface_hub.DatasetCardData(**card))
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: info)

    def write(name: str, revision: str | None, target: Path) -> None:
        blobs = tmp_path / "hf" / "datasets--some--one" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / "x.incomplete").write_bytes(bytes(2000))
        target.write_bytes(b"PAR1")

    monkeypatch.setattr(hub, "write_parquet", write)
    told: list[tuple[str, int, int]] = []
    sources.fetch("some/one", settings, lambda *step: told.append(step))
    assert told[-1] == ("download", 2000, 3000) and not sources.to_fetch("some/one", settings)
    assert (hub.cached("some/one", settings.cache) or pytest.fail()).licence == "cc0-1.0"
    for unstated in (None, {"dataset_info": [{"download_size": 1}]}, {"dataset_info": {"download_size": "1"}}, {}):
        assert hub._stated_size(unstated) == 0


def test_what_datasets_cannot_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "train.csv").write_bytes(b"")
    download = through_datasets(tmp_path / "copy", monkeypatch, tmp_path)
    with pytest.raises(DataUnavailable, match="cannot be loaded"):
        hub.ensure("some/one", settings.cache, download)
    assert not (settings.cache / "datasets" / "some--one").exists()


def test_a_cache_that_is_torn_or_cannot_be_written(settings: Settings) -> None:
    def write(name: str, target: Path) -> dict[str, Any]:
        target.write_bytes(b"PAR1 and more")
        return {}

    found = hub.ensure("some/one", settings.cache, write)
    assert found.licence is None
    found.path.write_bytes(b"PAR1")
    assert hub.cached("some/one", settings.cache) is None
    (settings.cache / "taken").write_text("a file")
    with pytest.raises(InputError, match="set MEDQA_CACHE to another folder"):
        hub.ensure("some/one", settings.cache / "taken", write)


@pytest.mark.parametrize("name", ["owner", "a/b/c", "../etc", "a/..", "a b/c", "a/b--c", "", "/a"])
def test_what_is_no_id(name: str) -> None:
    assert not hub.is_id(name)
