"""`import OWNER/NAME`: what the client fetches from a hub on 127.0.0.1, what becomes of it and what is refused."""

import json
from pathlib import Path

import pytest
from huggingface_hub import constants

from medqa_core.foundation.files import read_json, sha256
from medqa_core.foundation.settings import Settings
from medqa_core.models.hub import fetch
from medqa_core.models.references import parse
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.commands import Command
from tests.support.docs_tables import refusals
from tests.support.foreign_models import ASKED, full_model, lora, rows, tiny_model, toy_folder
from tests.support.hub_server import COMMIT, GATED, Hub

# The hub's client uploads large files in a way that its HTTP library no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
ADAPTER = "adapter_model.safetensors"
WHOLE = "model.safetensors"
ELSE = {
    "training_args.bin": b"a pickle",
    "pytorch_model.bin": b"a pickle",
    "optimizer.safetensors": b"of its training",
    "run_me.py": b"raise SystemExit('code from a model was run')",
    "checkpoint-9/adapter_model.safetensors": b"an older one",
}
"""What repositories hold besides."""


@pytest.fixture
def store(tmp_path: Path, in_lab: Settings, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    """A store of the test's own, with nothing in it."""
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    return RunStore(tmp_path / "reports")


@pytest.fixture
def questions(tmp_path: Path) -> str:
    """The path of three questions."""
    return str(rows(ASKED[:3], tmp_path / "test.csv"))


def imported(medqa: Command, store: RunStore, repo: str, *arguments: str) -> Run:
    done = medqa("import", repo, *arguments, "--max-new-tokens", "4")
    assert done.code == 0, done.err
    return store.open(done.out.split(":", 1)[0])


def evaluated(medqa: Command, run: Run) -> Run:
    done = medqa("evaluate", run.id)
    assert done.code == 0, done.err
    return run


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_pushed_adapter_comes_back_by_its_name(
    medqa: Command, hub: Hub, folder: Path, questions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert medqa("push", "smoke", "--repo", "me/answers", "--public", "--yes").code == 0
    assert not hub.private, "public where it was asked for"
    hub.repositories["me/answers"] |= ELSE
    store, asked = RunStore(folder.parent), ("--base", "toy", "--data", questions)
    run = imported(medqa, store, "me/answers", *asked)
    assert run.id == "me-answers" and hub.downloaded() == {"adapter_config.json", ADAPTER}
    weights = f"adapter/{ADAPTER}"
    assert (run.folder / weights).read_bytes() == (folder / weights).read_bytes()
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.source == "me/answers"
    assert run.record.imported.model.revision == COMMIT
    [told] = [line for line in (run.folder / "summary.md").read_text().splitlines() if "Revision that was" in line]
    assert COMMIT in told
    found = evaluated(medqa, run).evaluation()
    assert found is not None and found.metrics["loss"].n == 3

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before = len(hub.requests)
    again = imported(medqa, store, "me/answers", *asked, "--run-id", "offline")
    assert len(hub.requests) == before and sha256(again.folder / weights) == sha256(run.folder / weights)
    gone = medqa("import", "me/never-fetched", *asked)
    assert (gone.code, gone.err) == (1, (
        "error: me/never-fetched is not in the local cache and the model hub is switched off by HF_HUB_OFFLINE; give a "
        "folder that holds it.\n"
    ))  # fmt: skip


def test_merged_and_whole_weights_come_back_by_their_names(
    medqa: Command, hub: Hub, folder: Path, questions: str
) -> None:
    store, asked = RunStore(folder.parent), ("--base", "toy", "--data", questions)
    run_id = "smoke"
    for repo, flags in (("me/merged", ["--merged"]), ("me/whole", [])):
        pushed = medqa("push", run_id, "--repo", repo, "--yes", *flags)
        assert pushed.code == 0, pushed.err
        held = hub.repositories[repo]
        hub.repositories[repo] = held | ELSE
        run = imported(medqa, store, repo, *asked)
        run_id = run.id  # a run of whole weights, which is what the second push sends
        assert (run.folder / "model" / WHOLE).read_bytes() == held[WHOLE]
        assert run.record.imported is not None and run.record.imported.model is not None
        assert run.record.imported.model.kind == "fine_tune"
    assert hub.repositories["me/merged"][WHOLE] == hub.repositories["me/whole"][WHOLE]
    assert not hub.downloaded() & {"training_args.bin", "pytorch_model.bin", "run_me.py"}


def test_two_plain_models_of_the_hub_are_compared_without_a_training(
    medqa: Command, hub: Hub, store: RunStore, questions: str, in_lab: Settings, tmp_path: Path
) -> None:
    toy = toy_folder(in_lab)
    hub.repositories |= {
        "owner/a": {**files_in(tiny_model(toy, tmp_path / "a")), "trainer_state.json": b'{"log_history": []}'},
        "owner/b": files_in(full_model(toy, tmp_path / "b")),
    }
    run = evaluated(medqa, imported(medqa, store, "owner/a", "--base", "owner/b", "--data", questions))
    record = run.record
    assert (run.id, record.base_model is not None and record.base_model.id) == ("owner-a", "owner/b")
    assert record.base_model is not None and record.base_model.revision == COMMIT
    assert record.imported is not None and record.imported.model is not None
    assert (record.imported.source, record.imported.model.kind) == ("owner/a", "other_model")
    assert (run.folder / "model" / WHOLE).read_bytes() == hub.repositories["owner/a"][WHOLE]
    assert "it is another model than the base and no fine-tune of it" in sentence(run)


def test_the_base_is_taken_at_the_revision_that_an_adapter_names(
    medqa: Command, hub: Hub, store: RunStore, questions: str, in_lab: Settings, tmp_path: Path
) -> None:
    toy = toy_folder(in_lab)
    adapter = files_in(lora(toy, tmp_path / "adapter"))

    def at(revision: str | None) -> dict[str, bytes]:
        said = {**json.loads(adapter["adapter_config.json"]), "base_model_name_or_path": "owner/base"}
        return {**adapter, "adapter_config.json": json.dumps({**said, "revision": revision}).encode()}

    hub.repositories |= {
        "owner/base": files_in(toy), "owner/at": at(COMMIT), "owner/main": at(None), "owner/gone": at("v9")
    }  # fmt: skip
    for repo, asked in (("owner/at", COMMIT), ("owner/main", "main")):
        hub.requests.clear()
        run = imported(medqa, store, repo, "--data", questions)
        assert run.record.base_model is not None and run.record.base_model.revision == COMMIT
        assert read_json(run.folder / "adapter" / "adapter_config.json")["base_model_name_or_path"] == "owner/base"
        if repo == "owner/at":
            assert f"GET /api/models/owner/base/revision/{asked}" in hub.requests
    said = medqa("import", "owner/gone", "--data", questions)
    assert said.code == 2 and "owner/base has no revision 'v9' on the model hub" in said.err


def test_how_much_of_a_model_has_come_is_told(medqa: Command, hub: Hub, in_lab: Settings, tmp_path: Path) -> None:
    hub.repositories["owner/told"] = files_in(lora(toy_folder(in_lab), tmp_path / "adapter")) | ELSE
    told: list[tuple[str, int, int]] = []
    folder, commit = fetch(parse("owner/told"), incoming=True, steps=lambda *step: told.append(step))
    whole = sum(len(hub.repositories["owner/told"][path.name]) for path in folder.iterdir())
    assert commit == COMMIT and told[-1] == ("download", whole, whole)


def test_a_revision_of_the_model_is_asked_for_and_kept(
    medqa: Command, hub: Hub, store: RunStore, questions: str, in_lab: Settings, tmp_path: Path
) -> None:
    adapter = lora(toy_folder(in_lab), tmp_path / "adapter")
    hub.repositories["owner/at"] = files_in(adapter)
    asked = ("--base", "toy", "--data", questions)
    run = imported(medqa, store, "owner/at", *asked, "--revision", COMMIT)
    assert f"GET /api/models/owner/at/revision/{COMMIT}" in hub.requests
    assert run.record.imported is not None and run.record.imported.model is not None
    assert run.record.imported.model.revision == COMMIT
    assert run.record.base_model is not None and run.record.base_model.revision is None
    gone = "owner/at has no revision 'v9' on the model hub; give a folder that holds it."
    none = "--revision: '{}' has no revisions; leave the revision out (only models on the hub have one)."
    for model, revision, said in (
        ("owner/at", "v9", gone),
        ("owner/at", "a..b", "--revision: 'a..b' is not a usable revision (a commit, tag or branch)."),
        (str(adapter), "main", none.format("adapter")),
        ("toy", "main", none.format("toy")),
    ):
        assert medqa("import", model, *asked, "--revision", revision).err.splitlines()[-1] == f"error: {said}"
    toys = medqa("import", "owner/at", *asked, "--base-revision", "main")
    assert toys.err.splitlines()[-1] == f"error: {none.format('toy').replace('--revision', 'base model')}"


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"adapter_config.json": b"{}", "adapter_model.bin": b"x", "a.bin": b"x"}, "peft import AutoPeftModelFor"),
        ({"pytorch_model.bin": b"x"}, "holds its weights as pickles only (pytorch_model.bin)"),
        ({"README.md": b"x", "best/model.safetensors": b"x"}, "holds no weights on the model hub: looked for model."),
        ({"adapter_config.json": b'{"peft_type": "IA3"}'}, "is an adapter of the kind IA3, and only LORA is taken"),
        ({"adapter_model.safetensors": b"torn"}, "its weights are damaged"),
        ({"tokenizer_config.json": b'{"auto_map": {"AutoTokenizer": ["a.b", null]}}'}, "asks to run Python code"),
        (None, "me/refused is not on the model hub, or is private; give a folder that holds it."),
    ],
)
def test_each_refusal_is_one_line_and_fetches_no_pickle(
    medqa: Command,
    hub: Hub,
    store: RunStore,
    questions: str,
    in_lab: Settings,
    tmp_path: Path,
    files: dict[str, bytes] | None,
    sentence: str,
) -> None:
    if files is not None:
        plain = files_in(lora(toy_folder(in_lab), tmp_path / "plain", target_modules=["q_proj"]))
        whole = any(name.endswith(".bin") or "/" in name for name in files)
        hub.repositories["me/refused"] = files if whole else {**plain, **files}
    said = medqa("import", "me/refused", "--base", "toy", "--data", questions)
    assert said.code in (1, 2) and sentence in said.err, said.err
    *_, last = said.err.splitlines()
    assert last.startswith("error: ") and said.err.count("error: ") == 1
    assert not [name for name in hub.downloaded() if name.endswith((".bin", ".py"))]
    assert store.list() == []


def test_the_documentation_says_what_is_said(medqa: Command, hub: Hub, store: RunStore, questions: str) -> None:
    some = {"adapter_config.json": b"{}", ADAPTER: b"x"}
    cases: dict[str, tuple[str, dict[str, bytes] | None, tuple[str, ...]]] = {
        "pickles alone": ("owner/pickles", {"pytorch_model.bin": b"x"}, ()),
        "weights in a folder alone": ("owner/inside", {f"best/{WHOLE}": b"x"}, ()),
        "not there": ("owner/nothing", None, ()),
        "gated": (GATED, some, ()),
        "without such a revision": ("owner/some", some, ("--revision", "v9")),
    }
    told = refusals("models.md", "## What is refused from the hub")
    assert set(told) == set(cases)
    for name, (repo, files, more) in cases.items():
        if files is not None:
            hub.repositories[repo] = files
        said = medqa("import", repo, "--base", "toy", "--data", questions, *more)
        assert said.err.splitlines()[-1].startswith(f"error: {repo} {told[name]}"), said.err
    assert not hub.downloaded() and store.list() == []
