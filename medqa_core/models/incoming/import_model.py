"""`import` of a model: its folder becomes a run with weights, which is then measured like one made here."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM

import medqa_core
from medqa_core.data import leakage, split
from medqa_core.data.pairs import PairSet
from medqa_core.data.preparation import data_for
from medqa_core.foundation.errors import InputError, ModelError, ModelUnavailable, NoRevisions, RunError, shorten
from medqa_core.foundation.files import write_json
from medqa_core.foundation.format import bytes_size
from medqa_core.foundation.progress import Progress, StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models import adapter, folders
from medqa_core.models.change import changes_base
from medqa_core.models.gate import check_causal
from medqa_core.models.incoming.adapter_config import PlainAdapter, plain_adapter
from medqa_core.models.incoming.copying import (
    Shapes,
    check_numbers,
    copy_beside,
    copy_weights,
    shapes_of,
    write_model_config,
)
from medqa_core.models.incoming.fitting import EMBEDDINGS, check_fits, check_named_base, relation
from medqa_core.models.incoming.found import IncomingWeights, find_weights
from medqa_core.models.incoming.tokenizers import TokenizerChoice, choose_tokenizer
from medqa_core.models.loader import LoadedModel, Located, load_folder, load_tokenizer, loading, locate, weights_of
from medqa_core.models.prompt import THOUGHTS, kind_for, opens_thoughts
from medqa_core.models.references import parse, upstream_name
from medqa_core.models.silence import silenced
from medqa_core.models.variants import VARIANTS, load_variants, with_adapter
from medqa_core.runs.artifacts.training_record import write_training_record
from medqa_core.runs.importers.draft import NO_ANSWERS, NO_BASE_FIGURES, NO_MMLU, Draft, Figures, modified
from medqa_core.runs.importers.importer import read_draft, record_of, write_draft
from medqa_core.runs.importers.source import file_name, line, slug
from medqa_core.runs.importers.trainer import NO_DATA, NO_TEST_LOSS, has_trainer_output, no_base_model
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import EvaluationConfig
from medqa_core.runs.schema.evaluation import PromptKind
from medqa_core.runs.schema.record import BaseModelRecord, DataRecord, ImportedModel, RunRecord
from medqa_core.runs.store.run_store import RunStore

KNOWN_HERE = (NO_BASE_FIGURES, NO_ANSWERS, NO_DATA, NO_MMLU, NO_TEST_LOSS)
"""What a source need not say where the model itself is here; so with the name of its base."""
SPARE = 2**26
"""Bytes beside the weights that a run may need while it is made."""


@dataclass(frozen=True)
class _Incoming:
    """What is known of the model and its base before anything is copied."""

    weights: IncomingWeights
    files: list[Path]
    base: LoadedModel
    shapes: Shapes
    plain: PlainAdapter | None
    relation: Literal["adapter", "fine_tune", "other_model"]
    named: str | None
    tokenizer: TokenizerChoice
    prompt: PromptKind
    notes: tuple[str, ...]


def import_model(
    model: Path | str,
    config: EvaluationConfig,
    settings: Settings,
    *,
    revision: str | None = None,
    base: str | None = None,
    base_revision: str | None = None,
    run_id: str | None = None,
    title: str | None = None,
    progress: Progress = silent,
    steps: StageProgress = silent,
) -> Run:
    """Make a run of a model that was trained elsewhere; the store gets it complete or not at all.

    Args:
        model: a folder with whole weights or a LoRA adapter, or of a training with such in it or in a checkpoint; or a
            model's name, as a base has one; on the hub it may be an adapter too.
        config: what it is to be asked, and what it was trained on where that is known.
        settings: where things are.
        revision: of a model on the hub: a commit, tag or branch; None: the newest commit.
        base: the model that it was trained from, or that it is to be compared with; None: the one that it names.
        base_revision: of a base on the hub.
        run_id: of the new run.
        title: of the new run.
        progress: told what takes long.
        steps: told how many bytes of a download have come, and how many megabytes of the weights are read or copied.

    Raises:
        InputError: the folder holds no model that can come in, its base is not known or is another one; or the data
            do not fit.
        ModelError: its base cannot be loaded.
        DataUnavailable: the data are not available.
        RunError: the store cannot be written, or has no room.
    """
    store = RunStore(settings.reports)
    if run_id is not None:
        store.check_free(run_id)
    source = _source(str(model), revision, settings, progress, steps)
    weights = find_weights(source.folder, source.name)
    progress("reading the data")
    data = data_for(config, settings)
    parts = split.split_pairs(data.pairs, config)
    found = _examine(weights, settings, base, base_revision, progress, steps)
    draft = _draft(source, found)
    record = _record(source, draft, found, run_id or store.free_id(draft.suggested_id), title)
    record = record.model_copy(
        update={"evaluated_on": config, "data": _data_record(data, parts, config), "number": store.next_number()}
    )
    _check_room(found, store)
    return store.create(record, lambda folder: _fill(folder, record, draft, found, settings, progress, steps))


def _source(model: str, revision: str | None, settings: Settings, progress: Progress, steps: StageProgress) -> Located:
    """Where what is to come in lies, and what messages call it."""
    try:
        path = Path(model).expanduser()
        here = path.exists()
        if not here:
            parse(model)
    except (InputError, OSError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{shorten(model)!r} is neither a folder that exists nor a model on the hub (owner/name)."
        ) from error
    if here and revision is not None:
        raise NoRevisions(file_name(path), field="--revision")
    if here:
        return Located(path, file_name(path), None, "folder")
    try:
        return locate(model, revision, settings=settings, progress=progress, incoming=True, steps=steps)
    except InputError as error:  # the name alone is one
        raise InputError(error.reason, field="--revision") from error


def _examine(
    weights: IncomingWeights,
    settings: Settings,
    base: str | None,
    revision: str | None,
    progress: Progress,
    steps: StageProgress,
) -> _Incoming:
    """Read what can be read without loading the incoming weights, and refuse what does not belong together."""
    label = weights.label
    stated = weights.json(adapter.CONFIG) if weights.kind == "adapter" else weights.json(folders.CONFIG)
    key = "base_model_name_or_path" if weights.kind == "adapter" else "_name_or_path"
    raw = stated.get(key)
    named = line(raw, 200) or None
    _check_folder(weights)
    files = weights.weight_files()
    shapes = shapes_of(files, label)
    check_numbers(files, label, steps)
    if base is None and revision is None:
        revision = _named_revision(raw, stated.get("revision"))
    located = _located_base(base, revision, raw if isinstance(raw, str) else None, label, settings, progress, steps)
    loaded = load_folder(located, settings=settings)
    notes = check_named_base(loaded, named, label, settings) if base is not None else ()
    plain, kind = None, relation(shapes, loaded) if weights.kind == "model" else "adapter"
    if weights.kind == "adapter":
        plain = plain_adapter(stated, shapes, upstream_name(loaded.name), label)
        check_fits(shapes, loaded, label)
    theirs = None
    if any(weights.file(name) for name in folders.TOKENIZERS):
        theirs = _their_tokenizer(weights)
    choice = choose_tokenizer(loaded, theirs, label)
    used = theirs if choice.own else loaded.tokenizer
    prompt = kind_for(used)
    if opens_thoughts(used):
        notes = (*notes, THOUGHTS)
    # The base is loaded once more with the copied weights, as a run's models are; not twice at a time.
    light = replace(loaded, model=None)
    return _Incoming(weights, files, light, shapes, plain, kind, named, choice, prompt, notes)


def _check_folder(weights: IncomingWeights) -> None:
    """Refuse code, quantised weights and links among what would be read or copied."""
    for name in (folders.CONFIG, *folders.TOKENIZER_FILES):
        weights.file(name)
    check = folders.check_configuration if weights.kind == "model" else folders.check_tokenizer
    try:
        check(weights.folder, weights.label)
    except ModelError as error:
        raise InputError(str(error)) from error


def _named_revision(base: object, revision: object) -> str | None:
    """The revision of its base on the hub that an adapter names, which is the one that it fits."""
    if not isinstance(base, str) or not isinstance(revision, str):
        return None
    try:
        return revision if parse(base).kind == "hub" else None
    except InputError:
        return None


def _located_base(
    base: str | None,
    revision: str | None,
    named: str | None,
    label: str,
    settings: Settings,
    progress: Progress,
    steps: StageProgress,
) -> Located:
    if base is None and named is None:
        raise InputError(f"{label} does not say which model it was trained from: give it with --base.", field="--base")
    try:
        return locate(base or named or "", revision, settings=settings, progress=progress, steps=steps)
    except (InputError, ModelUnavailable) as error:
        if base is not None:
            raise
        raise InputError(
            f"{label} names {named!r} as its base, which is not available here ({error}) Give the base with --base.",
            field="--base",
        ) from error


def _their_tokenizer(weights: IncomingWeights) -> Any:
    try:
        with loading(weights.label):
            return load_tokenizer(weights.folder, weights.label)
    except ModelError as error:
        raise InputError(str(error)) from error


def _draft(source: Located, found: _Incoming) -> Draft:
    """What the folder states of the training, where it states any; the figures are its word, and ours are measured."""
    name = found.weights.label
    draft = None
    if has_trainer_output(source.folder):
        try:
            draft = read_draft(source.folder, keep_prose=False)
        except InputError:  # weights without a readable log are still weights
            draft = None
    if draft is None:
        draft = Draft(format="model", source=name, sha256=None, figures=Figures(), suggested_id=slug(name), title=name)
    if source.kind == "hub":  # whose folder is called by its commit
        draft.source, draft.suggested_id = name, slug(name)
    draft.evaluation = draft.mmlu = None
    known = {*KNOWN_HERE, no_base_model(draft.figures)}
    draft.missing = [one for one in draft.missing if one not in known]
    draft.title = f"{name}, from {found.base.name if '/' not in found.base.name else upstream_name(found.base.name)}"
    draft.created_at = draft.created_at or modified(found.files[0])
    return draft


def _record(source: Located, draft: Draft, found: _Incoming, run_id: str, title: str | None) -> RunRecord:
    try:
        record = record_of(source.folder, draft, run_id, title)
    except ValidationError as error:
        raise InputError(f"{source.name} holds values that no run can hold.") from error
    base = found.base
    merged = found.plain is not None and found.plain.merge is not None
    notes = [*found.notes, *found.tokenizer.notes, *(found.plain.notes if found.plain else ())]
    if merged and found.plain is not None:
        notes.append(f"The adapter was merged into its base, in float32: {found.plain.merge}.")
    imported = record.imported
    assert imported is not None
    model = ImportedModel(
        kind=found.relation,
        folder=found.weights.inside,
        revision=source.revision,
        named_base=found.named,
        own_tokenizer=found.tokenizer.own,
        notes=[line(note, 500) for note in notes],
    )
    return record.model_copy(
        update={
            "base_model": BaseModelRecord(
                id=base.name, revision=base.revision, sha256=base.sha256, parameters=base.parameters
            ),
            "imported": imported.model_copy(update={"model": model}),
            "prompt": found.prompt,
            "code_version": medqa_core.__version__,
        }
    )


def _data_record(data: PairSet, parts: split.Split, config: EvaluationConfig) -> DataRecord:
    return DataRecord(
        source=data.name,
        licence=data.licence,
        pairs_parsed=data.pairs_parsed,
        pairs_answered=data.pairs_answered,
        duplicates_dropped=data.duplicates_dropped,
        split=parts.sizes,
        split_method=split.method(config),
        split_hash=parts.hash,
        filters=list(data.filters),
        overlap=leakage.measure(parts, data.pairs) if parts.train else None,
    )


def _check_room(found: _Incoming, store: RunStore) -> None:
    """Say that the disk is too small before gigabytes are written to it."""
    store.folder.mkdir(parents=True, exist_ok=True)
    needed = sum(path.stat().st_size for path in found.files) + SPARE
    if found.plain is not None and found.plain.merge is not None:
        needed += 4 * found.base.parameters
    free = shutil.disk_usage(store.folder).free
    if needed > free:
        raise RunError(
            f"The weights need {bytes_size(needed)} in the run store, where {bytes_size(free)} are free; nothing was "
            "written. Free some space, or name another store with MEDQA_REPORTS."
        )


def _fill(
    folder: Path,
    record: RunRecord,
    draft: Draft,
    found: _Incoming,
    settings: Settings,
    progress: Progress,
    steps: StageProgress,
) -> None:
    """The files of the run but its record, and the proof that its two models load and differ or not."""
    write_draft(folder, draft)
    label = found.weights.label
    try:
        _write_weights(folder, found, steps)
        progress("loading both models")
        variants = load_variants(Run(folder, record), settings)
        for variant in VARIANTS:
            with variants.using(variant) as model:
                check_causal(model, label if variant == "fine_tuned" else found.base.name)
    except ModelError as error:
        raise InputError(str(error).replace(folder.name, label)) from error
    changed = changes_base(Run(folder, record), found.base.folder)
    write_training_record(folder, by="import", code_version=medqa_core.__version__, best=None, changed=changed)


def _write_weights(folder: Path, found: _Incoming, steps: StageProgress) -> None:
    """`adapter/` or `model/` of a run."""
    if found.plain is None:
        _write_model(folder / "model", found, steps)
    elif found.plain.merge is None:
        _write_adapter(folder / "adapter", found, found.plain, steps)
    else:
        _write_merged(folder, found, found.plain, steps)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # a run store is shared, whoever owned the source


def _write_model(target: Path, found: _Incoming, steps: StageProgress) -> None:
    target.mkdir()
    copy_weights(found.files, target / folders.WEIGHTS, steps)
    write_model_config(found.weights, target)
    copy_beside(found.weights, ("generation_config.json",), target)
    if not copy_beside(found.weights, folders.TOKENIZER_FILES, target):
        found.base.tokenizer.save_pretrained(target)


def _write_adapter(target: Path, found: _Incoming, plain: PlainAdapter, steps: StageProgress) -> None:
    target.mkdir()
    copy_weights(found.files, target / adapter.WEIGHTS, steps)
    write_json(target / adapter.CONFIG, plain.config)
    if found.tokenizer.own:
        copy_beside(found.weights, folders.TOKENIZER_FILES, target)


def _write_merged(folder: Path, found: _Incoming, plain: PlainAdapter, steps: StageProgress) -> None:
    """The base with the adapter merged into it: what cannot be switched off becomes a model of its own."""
    temporary, target = folder / "incoming", folder / "model"
    _write_adapter(temporary, found, plain, steps)
    with loading(found.weights.label):
        whole = weights_of(AutoModelForCausalLM, found.base.folder, found.base.name)
        rows = [shape[0] for name, shape in found.shapes.items() if name.endswith(EMBEDDINGS)]
        if rows and rows[0] != whole.get_input_embeddings().num_embeddings:
            with torch.random.fork_rng(devices=[]):
                whole.resize_token_embeddings(rows[0], mean_resizing=False)
        merged = with_adapter(whole, temporary, found.weights.label).merge_and_unload()
    with silenced():  # outside of `loading`: a full disk is nothing that is wrong with the model
        merged.save_pretrained(target, max_shard_size=folders.UNSPLIT)
    if not copy_beside(found.weights, folders.TOKENIZER_FILES, target):
        found.base.tokenizer.save_pretrained(target)
    shutil.rmtree(temporary)
