"""What a model's name means."""

import subprocess
import sys
from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError, UnknownName
from medqa_core.models.references import EMBEDDED, REFERENCE, REFERENCE_REVISION, TOY, ModelReference, parse


@pytest.mark.parametrize("name", [EMBEDDED, " SmolLM2-135M-Instruct "])
def test_the_embedded_default(name: str) -> None:
    assert parse(name) == ModelReference(EMBEDDED, None, "embedded")


def test_the_toy_even_beside_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "toy").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse("toy") == ModelReference(TOY, None, "toy")
    assert parse("./toy") == ModelReference(str(tmp_path / "toy"), None, "folder")


def test_the_reference_model_is_pinned() -> None:
    assert parse(REFERENCE) == ModelReference(REFERENCE, REFERENCE_REVISION, "hub")
    assert parse(REFERENCE).pinned
    assert parse(REFERENCE, "main") == ModelReference(REFERENCE, "main", "hub")


def test_another_hub_model_takes_main() -> None:
    reference = parse("some-owner/Some.Model_1")
    assert reference == ModelReference("some-owner/Some.Model_1", "main", "hub")
    assert not reference.pinned


def test_an_existing_folder_wins_over_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse("owner/name") == ModelReference(str(tmp_path / "owner" / "name"), None, "folder")


@pytest.mark.parametrize("name", ["/models/mine", "./mine", "../mine", "~/mine"])
def test_a_path_is_a_folder_whether_or_not_it_exists(name: str) -> None:
    reference = parse(name)
    assert reference.kind == "folder"
    assert Path(reference.name).is_absolute()


def test_an_unknown_name_gets_its_nearest_match() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'smollm2-135m-instruct'\?") as caught:
        parse("smollm-135m-instruct")
    assert caught.value.nearest == EMBEDDED
    with pytest.raises(UnknownName) as caught:
        parse("distilgpt2")
    assert caught.value.nearest == REFERENCE


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a\0b", "/a\nb", "a/b/c", "a b/c", "owner/", "owner/na--me", "a/x..y", "a/x.git", "a/-b"],
)
def test_what_is_no_name_at_all(name: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(name)
    assert "\n" not in str(caught.value)


def test_a_name_too_long_for_the_file_system() -> None:
    with pytest.raises(InputError):
        parse("x" * 5000)
    with pytest.raises(InputError):
        parse("~no-such-person-here/model")


@pytest.mark.parametrize("revision", ["a b", "../x", "a/../b", "-x", "x" * 200])
def test_an_unusable_revision(revision: str) -> None:
    with pytest.raises(InputError, match="not a usable revision"):
        parse("owner/name", revision)


@pytest.mark.parametrize("name", [EMBEDDED, TOY, "/models/mine"])
def test_only_hub_models_have_revisions(name: str) -> None:
    with pytest.raises(InputError, match="has no revisions"):
        parse(name, "main")


def test_naming_models_costs_no_heavy_import() -> None:
    code = (
        "import sys, medqa_core.models, medqa_core.models.references, medqa_core.models.embedded, "
        "medqa_core.models.toy, medqa_core.models.hub, medqa_core.models.locate, medqa_core.models.availability\n"
        "print([name for name in ('torch', 'transformers', 'huggingface_hub', 'peft') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
