"""Answers with sources in the evaluation: rows that can be recomputed, verdicts against both models, refusals."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from medqa_core.answering import generate
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.sources import PASSAGES, WITH_SOURCES_VARIANT
from medqa_core.data import starter
from medqa_core.evaluation import with_sources
from medqa_core.evaluation.evaluate import evaluate, judge_again
from medqa_core.evaluation.judge import Paired, judge
from medqa_core.evaluation.rule import VERSION
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.evaluation.verify import verify
from medqa_core.evaluation.with_sources import PARTIAL, STAGE, evaluate_with_sources
from medqa_core.evaluation.with_sources_rows import judge_with_sources
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import load_variants
from medqa_core.runs.artifacts.manifest import write_manifest
from medqa_core.runs.artifacts.with_sources import SCHEMA, WITH_SOURCES, read_with_sources, write_with_sources
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, Evaluation, RetrievalProtocol, WithSources, holm
from medqa_core.runs.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("no_network")


def begins(begun: dict[str, int]) -> Callable[[str, int, int], None]:
    """Notes where each stage begins."""

    def progress(stage: str, done: int, _: int) -> None:
        begun.setdefault(stage, done)

    return progress


class Shelf:
    """A retriever that finds the same few passages for every question."""

    name = "a shelf"
    method = "the same for all"
    least_match = 0.0

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        self.asked: list[tuple[str, int]] = []

    def search(self, question: str, k: int = 3) -> list[Passage]:
        self.asked.append((question, k))
        return list(self.passages[:k])

    def match(self, question: str, passage: Passage) -> float:
        return 1.0


@pytest.fixture
def shelf() -> Shelf:
    texts = ("Rest helps.", "Drink water.", "See a doctor.", "Sleep well.")
    return Shelf([Passage(text, "colds", "What helps?", f"p{n}", "starter", None) for n, text in enumerate(texts)])


@pytest.fixture
def run(smoke: Run, tmp_path: Path) -> Run:
    """The evaluated smoke run in a store of its own."""
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke")
    return RunStore(tmp_path / "reports").open("smoke")


def part(run: Run) -> WithSources:
    evaluation = run.evaluation()
    assert evaluation is not None and evaluation.with_sources is not None
    return evaluation.with_sources


def test_a_row_a_question_and_verdicts_against_both(run: Run, smoke: Run, lab: Settings, shelf: Shelf) -> None:
    write_manifest(run.folder)
    before = smoke.evaluation()
    assert before is not None and before.with_sources is None
    evaluation = evaluate_with_sources(run, lab, retriever=shelf)
    assert run.evaluation() == evaluation
    control = evaluation.controls["top_passage"]
    assert control.values["rougeL"] > 0 and set(control.with_sources) >= {"rougeL", "content_f1"}
    assert {name: one for name, one in evaluation.controls.items() if name != "top_passage"} == before.controls
    unread = evaluation.model_copy(update={"with_sources": None, "controls": before.controls})
    assert unread == before  # nothing else has changed
    assert not (run.folder / "manifest.json").exists()
    assert not (run.folder / PARTIAL).exists()

    rows, asked = read_with_sources(run.folder), run.predictions()
    assert asked is not None
    assert rows.columns.tolist() == SCHEMA.names
    assert rows["question_id"].tolist() == asked["question_id"].tolist()
    assert rows["group_id"].tolist() == asked["group_id"].tolist()
    assert [list(ids) for ids in rows["passages"]] == [["p0", "p1", "p2"]] * len(rows)
    known = {pair.id: pair for pair in starter.load().pairs}
    assert shelf.asked == [(known[id_].question, PASSAGES) for id_ in rows["question_id"]]
    scores = answer_scores(rows["answer"].tolist(), [(known[id_].answer,) for id_ in rows["question_id"]])
    for name in ANSWER_SCORES:
        assert [one[name] for one in scores] == rows[name].tolist()
    assert rows["tokens"].between(0, 16).all()
    assert all(rows[name].between(0, 1).all() for name in ("copied_share", "repetition"))

    found = part(run)
    assert found.weights == WITH_SOURCES_VARIANT
    assert set(found.against_base) == set(found.against_fine_tuned) >= {*ANSWER_SCORES, "content_f1"}
    for variant in ("base", "fine_tuned"):
        metric = getattr(found, f"against_{variant}")["rougeL"]
        assert metric.base == pytest.approx(asked[f"{variant}_rougeL"].mean())
        assert metric.fine_tuned == pytest.approx(rows["rougeL"].mean())
        assert metric.n == len(rows) == 12
    assert found.protocol.comparable(evaluation.protocol)
    assert found.protocol.fine_tuned_sha256 is not None
    assert found.protocol.retrieval == RetrievalProtocol(passages=3, method="a shelf", test_documents_held_out=True)
    assert found.generation is not None and found.generation.mean_tokens == pytest.approx(rows["tokens"].mean())


def test_the_passages_are_read(run: Run, lab: Settings, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def echo(_: object, variant: str, prompts: Sequence[list[int]], *__: object) -> list[dict[int, list[int]]]:
        assert variant == WITH_SOURCES_VARIANT
        seen.extend(tokenizer.decode(ids) for ids in prompts)
        return [{number: ids[:3] for number, ids in enumerate(prompts)}]

    tokenizer = load_variants(run, lab).tokenizer
    monkeypatch.setattr(with_sources, "generate", echo)
    evaluate_with_sources(run, lab, retriever=shelf)
    assert len(seen) == 12
    assert all("Rest helps." in text and "See a doctor." in text and "Sleep well." not in text for text in seen)


def test_its_answers_can_be_kept(run: Run, lab: Settings, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="smoke has no answers with sources of the weights that it has now"):
        evaluate_with_sources(run, lab, retriever=shelf, keep_answers=True)
    first = evaluate_with_sources(run, lab, retriever=shelf)
    monkeypatch.setattr(with_sources, "generate", lambda *_: pytest.fail("asked again"))
    assert evaluate_with_sources(run, lab, retriever=shelf, keep_answers=True) == first
    with pytest.raises(InputError, match="smoke would now read other passages"):
        evaluate_with_sources(run, lab, retriever=Shelf([]), keep_answers=True)


def test_a_part_of_the_questions_is_drawn_alike_each_time(run: Run, lab: Settings, shelf: Shelf) -> None:
    evaluate_with_sources(run, lab, questions=7, retriever=shelf)
    first, found = read_with_sources(run.folder), part(run)
    evaluate_with_sources(run, lab, questions=7, retriever=shelf)
    assert read_with_sources(run.folder)["question_id"].tolist() == first["question_id"].tolist()
    retrieval = found.protocol.retrieval
    assert retrieval is not None and (retrieval.asked, retrieval.of) == (7, 12)
    assert {metric.n for name, metric in found.against_base.items() if name in ANSWER_SCORES} == {7}
    rows = run.predictions()
    assert rows is not None
    theirs = rows.set_index("question_id").loc[first["question_id"]]
    assert found.against_base["rougeL"].base == pytest.approx(theirs["base_rougeL"].mean())
    evaluate_with_sources(run, lab, questions=99, retriever=shelf)
    assert len(read_with_sources(run.folder)) == 12
    retrieval = part(run).protocol.retrieval
    assert retrieval is not None and retrieval.asked is None


def interrupt(run: Run, lab: Settings, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin a measurement and end it after five answers."""
    monkeypatch.setattr(generate, "BATCH", 5)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == STAGE and 0 < done < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_with_sources(run, lab, stop, retriever=shelf)


def test_an_interrupted_measurement_goes_on_where_it_was(
    run: Run, lab: Settings, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(run, lab, shelf, monkeypatch)
    assert (run.folder / PARTIAL).exists() and not (run.folder / WITH_SOURCES).exists()
    begun: dict[str, int] = {}
    evaluate_with_sources(run, lab, begins(begun), retriever=shelf)
    assert begun[STAGE] == 5
    assert not (run.folder / PARTIAL).exists() and len(read_with_sources(run.folder)) == 12


def test_other_passages_start_anew(run: Run, lab: Settings, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(run, lab, shelf, monkeypatch)
    begun: dict[str, int] = {}
    nothing = Shelf([])
    evaluate_with_sources(run, lab, begins(begun), retriever=nothing)
    assert begun[STAGE] == 0
    assert [list(ids) for ids in read_with_sources(run.folder)["passages"]] == [[]] * 12


def test_without_passages_the_answers_are_those_of_the_same_weights(run: Run, lab: Settings) -> None:
    evaluate_with_sources(run, lab, retriever=Shelf([]))
    asked = run.predictions()
    assert asked is not None
    assert read_with_sources(run.folder)["answer"].tolist() == asked[f"{WITH_SOURCES_VARIANT}_answer"].tolist()
    same = getattr(part(run), f"against_{WITH_SOURCES_VARIANT}")["rougeL"]
    assert (same.difference, same.verdict) == (0, "cannot tell")


def edited(run: Run, change: Callable[[dict[str, Any]], object]) -> None:
    raw = read_json(run.folder / "evaluation.json")
    change(raw)
    write_json(run.folder / "evaluation.json", raw)


def test_what_was_not_evaluated_or_of_other_weights_is_refused(run: Run, lab: Settings, shelf: Shelf) -> None:
    edited(run, lambda raw: raw["protocol"].update(fine_tuned_sha256="ab" * 32))
    with pytest.raises(InputError, match="evaluated with other weights than it has now"):
        evaluate_with_sources(run, lab, retriever=shelf)
    (run.folder / "evaluation.json").unlink()
    with pytest.raises(InputError, match="smoke has not been evaluated"):
        evaluate_with_sources(run, lab, retriever=shelf)
    assert not (run.folder / WITH_SOURCES).exists() and shelf.asked == []


def test_int8_answers_are_compared_with_int8_answers(run: Run, lab: Settings, shelf: Shelf) -> None:
    edited(run, lambda raw: raw["protocol"]["decoding"].update(precision="int8"))
    evaluate_with_sources(run, lab, retriever=shelf)
    decoding = part(run).protocol.decoding
    assert decoding is not None and decoding.precision == "int8"


def test_judging_again_and_evaluating_again_keep_it(run: Run, lab: Settings, shelf: Shelf) -> None:
    first = evaluate_with_sources(run, lab, retriever=shelf).with_sources
    assert judge_again(run).with_sources == first
    assert evaluate(run, lab).with_sources == first
    assert (
        evaluate(run, lab, precision="int8").with_sources is None
    )  # other answers, which these were not compared with


def test_what_an_older_rule_judged_is_judged_anew_with_it(run: Run, lab: Settings, shelf: Shelf) -> None:
    before = run.evaluation()
    edited(run, lambda raw: raw.update(rule=VERSION - 1))
    edited(run, lambda raw: raw["metrics"]["loss"].update(p=0.75, min_detectable_effect=0.5))
    evaluation = evaluate_with_sources(run, lab, retriever=shelf)
    assert before is not None and evaluation.with_sources is not None
    assert (evaluation.rule, evaluation.metrics) == (VERSION, before.metrics)


def test_an_evaluation_on_fewer_questions_keeps_no_answers_to_others(run: Run, lab: Settings, shelf: Shelf) -> None:
    evaluate_with_sources(run, lab, retriever=shelf)
    fewer = evaluate(run, lab, questions=7)
    assert fewer.with_sources is None and "top_passage" not in fewer.controls
    found = checks(run, lab)
    assert found["evaluation.json"][0] and found["answer scores"][0] and found["content and controls"][0]
    evaluate_with_sources(run, lab, retriever=shelf)
    whole = evaluate(run, lab).with_sources  # whose seven questions are among these
    assert whole is not None and whole.against_base["rougeL"].n == 7


def test_without_its_rows_the_part_stays_as_it_was(run: Run, lab: Settings, shelf: Shelf) -> None:
    first = evaluate_with_sources(run, lab, retriever=shelf).with_sources
    (run.folder / WITH_SOURCES).unlink()
    assert judge_again(run).with_sources == first


def checks(run: Run, lab: Settings) -> dict[str, tuple[bool | None, str]]:
    return {check.name: (check.passed, check.detail) for check in verify(run, lab)}


def test_verify_recomputes_figures_and_scores(run: Run, lab: Settings, shelf: Shelf) -> None:
    plain = checks(run, lab)
    evaluate_with_sources(run, lab, retriever=shelf)
    found = checks(run, lab)
    for name in ("evaluation.json", "answer scores"):
        assert found[name][0] is True
        assert int(found[name][1].split()[0]) > int(plain[name][1].split()[0])
    edited(run, lambda raw: raw["with_sources"]["against_base"]["rougeL"].update(fine_tuned=0.9))
    assert checks(run, lab)["evaluation.json"][1].startswith(
        "with_sources.against_base.rougeL.fine_tuned: stated 0.9, "
    )
    write_with_sources(run.folder, read_with_sources(run.folder).assign(answer="Rest helps."))
    passed, detail = checks(run, lab)["answer scores"]
    assert passed is False and detail.startswith("with_sources answer to ")
    (run.folder / WITH_SOURCES).unlink()
    assert checks(run, lab)["evaluation.json"] == (
        False,
        "with_sources.parquet is missing: figures were computed from it.",
    )


def frames(n: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids, groups = [f"q{i}" for i in range(n)], [f"g{i // 2}" for i in range(n)]
    rows = pd.DataFrame({"question_id": ids, "group_id": groups})
    with_sources = rows.copy()
    for name in ANSWER_SCORES:
        rows[f"base_{name}"] = [0.1 + 0.001 * (i % 7) for i in range(n)]
        rows[f"fine_tuned_{name}"] = [0.3 + 0.001 * (i % 5) for i in range(n)]
        with_sources[name] = [0.2 + 0.001 * (i % 3) for i in range(n)]
    return rows, with_sources


def test_verdicts_point_the_right_way_and_are_corrected_together() -> None:
    rows, with_sources = frames()
    found = judge_with_sources(rows, with_sources.sample(frac=1, random_state=0))
    assert {metric.verdict for metric in found["base"].values()} == {"better"}
    assert {metric.verdict for metric in found["fine_tuned"].values()} == {"worse"}
    data = Paired.of(
        rows["base_rougeL"].tolist(), with_sources["rougeL"].tolist(), [1.0] * len(rows), rows["group_id"].tolist()
    )
    alone = judge("rougeL", data)
    assert alone.p is not None
    assert found["base"]["rougeL"].p == pytest.approx(max(holm(dict.fromkeys("abcdefgh", alone.p)).values()))
    assert found["base"]["rougeL"].ci == pytest.approx(alone.ci)


def test_a_score_that_was_not_measured_is_not_compared() -> None:
    rows, with_sources = frames()
    found = judge_with_sources(rows.drop(columns="base_token_f1").assign(base_token_f1=None), with_sources)
    assert "token_f1" not in found["base"] and "token_f1" in found["fine_tuned"]


def test_older_evaluations_have_no_such_part(smoke: Run) -> None:
    raw = read_json(smoke.folder / "evaluation.json")
    raw.pop("with_sources")
    assert Evaluation.model_validate(raw).with_sources is None
