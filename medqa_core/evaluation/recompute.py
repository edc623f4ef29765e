"""The figures of a run's evaluation once more, from the rows that they were computed from."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medqa_core.evaluation.controls_judged import judge_controls
from medqa_core.evaluation.measure import MOST_NATS
from medqa_core.evaluation.preference import NAME, judge_preference
from medqa_core.evaluation.rows import form, references_of_rows
from medqa_core.evaluation.rule import VERSION
from medqa_core.evaluation.tables import judged
from medqa_core.evaluation.text_metrics import answer_scores, empty_share
from medqa_core.evaluation.with_sources_rows import judge_with_sources
from medqa_core.runs.artifacts.mmlu import LETTERS, MMLUResults, SubsetScore, choices_by
from medqa_core.runs.artifacts.model_judge import ModelJudge
from medqa_core.runs.schema.evaluation import ANSWER_SCORES, VARIANTS, Control, Evaluation, Metric, References, Variant

TOLERANCE = 1e-9
"""Relative; also absolute for figures near 0, where only the order of summing differs."""
NATS_TOLERANCE = 0.0006
"""Nats: a token's is kept to a thousandth, so that a mean of them is off by half of one at most."""
JUDGED = {"ci", "level", "p", "verdict", "margin", "min_detectable_effect", "required_n", "reason"}
"""Fields of a metric that the rule's version decides."""
SECTIONS = ("by_question_type", "by_source")


def evaluation_problem(
    evaluation: Evaluation,
    rows: pd.DataFrame | None,
    mmlu: pd.DataFrame | None,
    with_sources: pd.DataFrame | None = None,
) -> tuple[int, str | None]:
    """How many figures of `evaluation` were recomputed, and the first that differs, with both values.

    What an older evaluation.json does not state (a field, a part) is not compared, and of one that another version of
    the rule judged only the figures are, not intervals, p-values and verdicts.
    """
    found = judged(rows, evaluation.primary_metric, mmlu)
    same_rule = evaluation.rule == VERSION
    compared: list[tuple[str, Any, Any]] = list(_metrics("metrics", evaluation.metrics, found.metrics, same_rule))
    for section in SECTIONS:
        if section in evaluation.model_fields_set and same_rule:
            ours, theirs = getattr(found, section), getattr(evaluation, section)
            for part in sorted({*ours, *theirs}):
                compared += _metrics(f"{section}.{part}", theirs.get(part, {}), ours.get(part, {}), same_rule)
    if "clean" in evaluation.model_fields_set:
        compared += _metrics("clean", evaluation.clean, found.clean, same_rule)
    if rows is not None:
        compared += _generation(evaluation, rows)
        compared += _controls(evaluation, rows, with_sources, same_rule)
    if evaluation.with_sources is not None and rows is not None and with_sources is not None:
        for variant, metrics in judge_with_sources(rows, with_sources).items():
            stated = getattr(evaluation.with_sources, f"against_{variant}")
            compared += _metrics(f"with_sources.against_{variant}", stated, metrics, same_rule)
    return _first_difference(compared)


def _first_difference(compared: Sequence[tuple[str, Any, Any]]) -> tuple[int, str | None]:
    """How many figures are compared, and the first of which both values differ: its name, stated and recomputed."""
    for name, stated, recomputed in compared:
        if not same(stated, recomputed):
            return len(compared), f"{name}: stated {_text(stated)}, recomputed {_text(recomputed)}"
    return len(compared), None


def _metrics(
    section: str, stated: Mapping[Any, Metric], recomputed: Mapping[Any, Metric], same_rule: bool
) -> Iterator[tuple[str, Any, Any]]:
    """Field by field; a metric that one variant lacks is compared with one without figures."""
    for name in sorted({*stated, *recomputed}):
        if name not in stated and not recomputed[name].n:
            continue  # older than this metric, of which the rows hold nothing either
        theirs, ours = stated.get(name, Metric()), recomputed.get(name, Metric())
        for field in Metric.model_fields:
            if field in JUDGED and not same_rule:
                continue
            if name not in stated or field in theirs.model_fields_set:
                yield f"{section}.{name}.{field}", getattr(theirs, field), getattr(ours, field)


def _controls(
    evaluation: Evaluation, rows: pd.DataFrame, with_sources: pd.DataFrame | None, same_rule: bool
) -> Iterator[tuple[str, Any, Any]]:
    """What the references are made of, and each control with every comparison."""
    if evaluation.references is not None and (found := references_of_rows(rows)) is not None:
        for field in References.model_fields:
            yield f"references.{field}", getattr(evaluation.references, field), getattr(found, field)
    if not evaluation.controls:
        return
    for name, ours in judge_controls(rows, with_sources if evaluation.with_sources else None).items():
        theirs = evaluation.controls.get(name, Control())
        for field in ("answered", "mean_words", "values"):
            yield f"controls.{name}.{field}", getattr(theirs, field), getattr(ours, field)
        for variant in (*VARIANTS, "with_sources"):
            yield from _metrics(
                f"controls.{name}.{variant}", getattr(theirs, variant), getattr(ours, variant), same_rule
            )


def _generation(evaluation: Evaluation, rows: pd.DataFrame) -> Iterator[tuple[str, Any, Any]]:
    for variant in VARIANTS:
        stated = getattr(evaluation, f"{variant}_generation")
        answers, tokens = rows[f"{variant}_answer"], rows[f"{variant}_answer_tokens"]
        if stated is None or not len(rows) or answers.isna().any() or tokens.isna().any():
            continue
        yield f"{variant}_generation.mean_tokens", stated.mean_tokens, float(tokens.mean())
        yield f"{variant}_generation.empty_share", stated.empty_share, empty_share(answers.tolist())
        repeated = rows[f"{variant}_repetition"]
        if stated.repetition is not None and not repeated.isna().any():
            yield f"{variant}_generation.repetition", stated.repetition, round(float(repeated.mean()), 4)
        most = evaluation.protocol.decoding.max_new_tokens if evaluation.protocol.decoding else None
        for field, value in form(rows, variant, most).items():
            if field in stated.model_fields_set:
                yield f"{variant}_generation.{field}", getattr(stated, field), value


def judge_problem(result: ModelJudge, rows: pd.DataFrame) -> tuple[int, str | None]:
    """How many figures of judge.json were recomputed from its rows, and the first that differs."""
    unusable = int(rows[["base_first", "fine_tuned_first"]].isna().sum().sum())
    drawn = int(rows["drawn"].fillna(True).sum())
    compared: list[tuple[str, Any, Any]] = [("unusable", result.unusable, unusable)]
    compared += [("questions", result.questions, drawn)]
    compared += _metrics("preference", {NAME: result.preference}, {NAME: judge_preference(rows)}, same_rule=True)
    return _first_difference(compared)


def same(stated: Any, recomputed: Any) -> bool:
    """Equal, numbers within TOLERANCE."""
    if isinstance(stated, Mapping) and isinstance(recomputed, Mapping):
        return stated.keys() == recomputed.keys() and all(same(stated[key], recomputed[key]) for key in stated)
    if isinstance(stated, tuple) and isinstance(recomputed, tuple):
        return len(stated) == len(recomputed) and all(map(same, stated, recomputed))
    if isinstance(stated, int | float) and isinstance(recomputed, int | float):
        return math.isclose(stated, recomputed, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(stated == recomputed)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_text(one)}' for key, one in value.items())}}}"
    return "nothing" if value is None else str(value)


def mmlu_problem(results: MMLUResults, answers: pd.DataFrame) -> tuple[int, str | None]:
    """How many accuracies of results.json were recomputed from the answers, and the first that differs.

    First the choices, from the likelihoods that they were made of.
    """
    for variant in VARIANTS:
        # What 0.2 asked by cloze stands where the letters stand, and its likeliest text counted as it was.
        chosen = choices_by(answers, variant, results.metric)
        stated_choice = answers[f"{variant}_choice"].to_numpy(np.float64, na_value=np.nan)
        differ = np.flatnonzero(~((chosen == stated_choice) | (np.isnan(chosen) & np.isnan(stated_choice))))
        if len(differ):
            row = answers.iloc[differ[0]]
            where = f"{variant} {row['subset']} question {row['question']}"
            return 0, f"{where}: stated {_letter(stated_choice[differ[0]])}, recomputed {_letter(chosen[differ[0]])}"
    stated: dict[Variant, list[SubsetScore]] = {"base": results.base or [], "fine_tuned": results.fine_tuned}
    count = 0
    for variant, scores in stated.items():
        # The harness takes the first letter where no likelihood is a number; the answers say that none was chosen.
        said = answers[f"{variant}_choice"]
        right = (said if results.metric == "acc_calibrated" else said.fillna(0)) == answers["target"]
        for score in scores:
            count += 1
            found = right[answers["subset"] == score.subset]
            where = f"{variant} {score.subset}"
            if not len(found):
                return count, f"{where}: stated {_text(score.accuracy)}, but no answer to it is stored"
            if not same(score.accuracy, float(found.mean())):
                return count, f"{where}: stated {_text(score.accuracy)}, recomputed {_text(float(found.mean()))}"
            if score.n is not None and score.n != len(found):
                return count, f"{where}: stated {score.n} questions, {len(found)} answers are stored"
    return count, None


def _letter(choice: float) -> str:
    return "nothing" if math.isnan(choice) else LETTERS[int(choice)]


def scores_problem(
    rows: pd.DataFrame, references: list[tuple[str, ...]], variants: Sequence[str] = VARIANTS
) -> tuple[int, str | None]:
    """How many scores of stored answers were recomputed, and the first that differs.

    Args:
        rows: the run's predictions, in the order of `references`.
        references: each question's reference answers.
        variants: before an underscore, what the columns of the answers and their scores begin with.
    """
    count = 0
    for variant in variants:
        stored = rows[f"{variant}_answer"].notna().to_numpy()
        some = rows[stored]
        known = [texts for texts, there in zip(references, stored, strict=True) if there]
        for scores, (_, row) in zip(
            answer_scores(some[f"{variant}_answer"].tolist(), known), some.iterrows(), strict=True
        ):
            for name in ANSWER_SCORES:
                stated = row[f"{variant}_{name}"]
                if pd.isna(stated):
                    continue
                count += 1
                if not same(float(stated), scores[name]):
                    what = f"{variant} answer to {row['question_id']}, {name}"
                    return count, f"{what}: stated {_text(float(stated))}, recomputed {_text(scores[name])}"
    return count, None


def with_sources_scores_problem(
    with_sources: pd.DataFrame, references: Mapping[str, tuple[str, ...]]
) -> tuple[int, str | None]:
    """The same for answers with sources, whose columns have no prefix; `references` by question id."""
    strange = [id_ for id_ in with_sources["question_id"] if id_ not in references]
    if strange:
        return 0, f"{len(strange)} answers with sources are to other questions than the run's, {strange[0]} first"
    rows = with_sources.add_prefix("with_sources_").assign(question_id=with_sources["question_id"])
    return scores_problem(rows, [references[id_] for id_ in with_sources["question_id"]], ["with_sources"])


def columns_problem(rows: pd.DataFrame, recomputed: Mapping[str, Sequence[Any]]) -> tuple[int, str | None]:
    """How many values of some columns equal what was recomputed, and the first that does not; a null is not stated."""
    count = 0
    for name, values in recomputed.items():
        for stated, found, id_ in zip(rows[name], values, rows["question_id"], strict=True):
            if stated is None or pd.isna(stated):
                continue
            count += 1
            if not same(stated, found):
                return count, f"{name} of {id_}: stated {_text(stated)}, recomputed {_text(found)}"
    return count, None


def nats_problem(rows: pd.DataFrame) -> tuple[int, str | None]:
    """How many losses are the mean of their tokens' nats, as near as those are kept, and the first that is not."""
    count = 0
    for variant in VARIANTS:
        for nats, loss, id_ in zip(rows[f"{variant}_nats"], rows[f"{variant}_loss"], rows["question_id"], strict=True):
            if nats is None or not len(nats) or max(nats) >= MOST_NATS:
                continue
            count += 1
            mean = float(nats.mean()) / 1000
            if not abs(mean - loss) <= NATS_TOLERANCE:
                return count, f"{variant}_loss of {id_}: stated {_text(float(loss))}, its tokens' mean is {_text(mean)}"
    return count, None
