"""Answer a run's test questions once more, after reading passages, and judge that against both models without them."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from medqa_core.answering.engine import decoder_for, decoding_of
from medqa_core.answering.generate import answers as generate
from medqa_core.answering.generate import texts
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.retrieval.retriever import Retriever
from medqa_core.answering.sources import PASSAGES, WITH_SOURCES_VARIANT
from medqa_core.data.pairs import QAPair, references_of
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.controls import most_words
from medqa_core.evaluation.evaluate import checked, mmlu_of, same_split, with_verdicts
from medqa_core.evaluation.measure import Answered, each
from medqa_core.evaluation.partial import Partial
from medqa_core.evaluation.partial_protocol import fingerprint, rows_of_today
from medqa_core.evaluation.passages import Shelf, read_for, shelf_of
from medqa_core.evaluation.rows import Tested, generation
from medqa_core.evaluation.with_sources_rows import with_sources_rows
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import dumps, sha256_text, write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import load_variants
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.with_sources import write_with_sources
from medqa_core.runs.reading import read_model
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Correction, Decoding, Evaluation, Library, Protocol, WithSources

PARTIAL = ".with_sources.jsonl"
"""What is answered so far, in the run folder; gone when it is whole."""
STAGE = "with_sources_answers"


def evaluate_with_sources(
    run: Run,
    settings: Settings,
    progress: StageProgress = silent,
    *,
    questions: int | None = None,
    library: Library | None = None,
    retriever: Retriever | None = None,
    keep_answers: bool = False,
) -> Evaluation:
    """Answer and judge; writes with_sources.parquet, then evaluation.json with its part `with_sources`.

    Answers have as many tokens and as precise weights as those of the run's evaluation. An interrupted call
    resumes where it stopped.

    Args:
        questions: how many of the test questions are asked, chosen at random with a fixed seed; None: all.
        library: what is searched; None: the training answers, or for a run of task `open_book`, which is evaluated with
            the whole data set's passages anyway, the other documents.
        retriever: what finds the passages; None: what the settings say, over that library.
        keep_answers: take the answers that the run has, if the same passages are found, and measure everything else.

    Raises:
        InputError: an imported run without weights, one that is still being trained, one that has not been evaluated,
            or has been with other weights than it has now; or its answers cannot be kept.
        ModelError: its models cannot be loaded.
        DataUnavailable: the data set is not available, or is not the one that the run was trained on.
    """
    config = checked(run)
    rows = run.predictions()
    if rows is None or not (run.folder / "evaluation.json").exists():
        raise InputError(f"{run.id} has not been evaluated: there are no answers to compare with.")
    before = read_model(run.folder, "evaluation.json", Evaluation)
    pairs, whole = same_split(run, settings)
    parts = whole.with_test_sample(before.protocol.test_questions)
    variants = load_variants(run, settings)
    weights = Protocol(
        base_sha256=variants.base.sha256,
        fine_tuned_sha256=variants.adapter_sha256,
        fine_tuned_config_sha256=variants.config_sha256,
    )
    if not before.protocol.same_weights(weights):
        raise InputError(f"{run.id} was evaluated with other weights than it has now: evaluate it again first.")
    library = library or ("other documents" if config.task == "open_book" else "training answers")
    shelf = shelf_of(run, config, settings, library) if retriever is None else Shelf(library, retriever, PASSAGES)
    asked = parts.with_test_sample(questions).test
    said_to, read = read_for(variants, asked, shelf.search, config.max_new_tokens, progress)
    prompts = [encode_prompt(variants.tokenizer, text, variants.prompt) for text in said_to]
    precision = before.protocol.decoding.precision if before.protocol.decoding else "float32"
    kept = _kept(run, before, weights, asked, read) if keep_answers else None
    decoding = kept.decoding if kept else decoding_of(variants, settings, config.max_new_tokens, precision)
    protocol = weights.model_copy(
        update={
            "decoding": decoding,
            "retrieval": shelf.protocol(config, len(asked), len(whole.test)),
            "correction": Correction(over=("compared models",)),
        }
    )

    def answers(done: Collection[int]) -> Iterator[dict[int, Any]]:
        if len(done) < len(prompts):
            decoder = decoder_for(variants, settings, precision)
            most = config.max_new_tokens
            yield from generate(decoder, WITH_SOURCES_VARIANT, prompts, most, variants.base.ends, done)

    first = fingerprint(protocol, prompts_sha256=sha256_text(dumps(prompts)))
    with Partial(run.folder / PARTIAL, first, older=lambda rows: rows_of_today(rows, protocol)) as partial:
        if kept is None:
            ids, seconds = each(STAGE, answers, len(prompts), partial, progress)
            said = Answered(texts(variants.tokenizer, ids), [len(one) for one in ids], seconds).of_reader()
        else:
            said = kept.answers
    with_sources = with_sources_rows(
        Tested(parts, references_of(asked, pairs), Content.of(pairs)),
        asked,
        said,
        read,
        most_words(config.max_new_tokens),
    )
    columns = with_sources.rename(columns={"tokens": "answer_tokens"}).add_prefix("with_sources_")
    made = generation(columns, "with_sources", asked, said.seconds, variants.prompt, config.max_new_tokens)
    part = WithSources(weights=WITH_SOURCES_VARIANT, generation=made, protocol=protocol)
    # Everything anew, for an older rule may have judged the rest, and the file states one.
    evaluation = with_verdicts(
        before.model_copy(update={"with_sources": part}), rows, mmlu_of(run, before.protocol), with_sources
    )
    discard_manifest(run.folder)
    write_with_sources(run.folder, with_sources)
    write_json(run.folder / "evaluation.json", evaluation.model_dump(mode="json"))
    partial.discard()
    return evaluation


@dataclass(frozen=True)
class _Kept:
    """Answers of an earlier measurement, and how they were made."""

    decoding: Decoding
    answers: Answered


def _kept(
    run: Run, before: Evaluation, weights: Protocol, asked: Sequence[QAPair], read: Sequence[Sequence[Passage]]
) -> _Kept:
    part, rows = before.with_sources, run.with_sources()
    decoding = part.protocol.decoding if part else None
    if part is None or rows is None or decoding is None or not part.protocol.same_weights(weights):
        raise InputError(
            f"{run.id} has no answers with sources of the weights that it has now: leave out --keep-answers."
        )
    theirs = [(id_, list(ids)) for id_, ids in zip(rows["question_id"], rows["passages"], strict=True)]
    ours = [(one.id, [passage.question_id for passage in few]) for one, few in zip(asked, read, strict=True)]
    if theirs != ours or rows[["answer", "tokens"]].isna().any(axis=None):
        raise InputError(f"{run.id} would now read other passages before it answers: leave out --keep-answers.")
    return _Kept(decoding, Answered.of_rows(rows["answer"], rows["tokens"], rows["cited"], part.generation))
