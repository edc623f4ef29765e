"""`evaluation.json`: base against fine-tuned, metric by metric, in a form that others can rely on."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from medqa_core.runs.schema.record import Line, Record
from medqa_core.runs.schema.upgrade import upgrade_evaluation

Verdict = Literal["better", "worse", "equivalent", "cannot tell"]
MetricName = Literal["loss", "perplexity", "bits_per_byte", "rouge1", "rouge2", "rougeL", "token_f1", "mmlu"]

LOWER_IS_BETTER: frozenset[str] = frozenset({"loss", "perplexity", "bits_per_byte"})

HOLM = "holm"
"""The only correction that readers take for done; of any other word they know nothing and correct themselves."""


class Metric(Record):
    """One metric on the same questions for both models; None is "not known"."""

    base: float | None = None
    fine_tuned: float | None = None
    difference: float | None = None
    """fine_tuned − base."""
    ci: tuple[float, float] | None = None
    level: float | None = Field(None, gt=0, lt=1)
    p: float | None = Field(None, ge=0, le=1)
    n: int | None = Field(None, ge=0)
    groups: int | None = Field(None, ge=0)
    verdict: Verdict = "cannot tell"
    margin: float | None = Field(None, ge=0)
    """Differences smaller than this are of no practical weight; `equivalent` means: the whole interval is within it."""
    min_detectable_effect: float | None = None
    """Smallest difference that this test would have found about four times in five."""
    required_n: int | None = Field(None, ge=0)
    """Test questions with which a difference as small as the margin would be found; None unless `cannot tell`."""
    reason: Line | None = None
    """Why the verdict is `cannot tell`, where that is not the interval's doing."""


class Generation(Record):
    """How the answers of one model came out, beside ROUGE because ROUGE rewards length."""

    empty_share: float = Field(ge=0, le=1)
    mean_tokens: float = Field(ge=0)
    length_ratio: float = Field(ge=0)
    """Mean answer length over mean reference length, in words."""
    repetition: float | None = Field(None, ge=0, le=1)
    """Mean share of an answer's 4-word runs that repeat an earlier one of the same answer."""
    seconds: float = Field(ge=0)
    prompt: Line


def _known(metrics: Any) -> Any:
    """`metrics` without names of a newer version: what is known of the others still counts."""
    return {n: m for n, m in metrics.items() if n in get_args(MetricName)} if isinstance(metrics, dict) else metrics


Metrics = Annotated[dict[MetricName, Metric], BeforeValidator(_known)]
"""A verdict a metric."""


class WithSources(Record):
    """Answers given after reading passages of the training documents, against both models' without them.

    In its metrics `base` is the value of the model that is compared with, `fine_tuned` that of the answers with
    sources, `difference` with sources − that model; p-values are corrected for all comparisons here together.
    """

    weights: Literal["base", "fine_tuned"]
    """Whose weights read the passages and answered."""
    against_base: Metrics = {}
    against_fine_tuned: Metrics = {}
    generation: Generation | None = None
    protocol: dict[str, Line] = {}
    """How passages were found and put, whose weights, and the SHA-256 of both models' weights."""


class Evaluation(Record):
    """The whole of `evaluation.json`."""

    schema_version: Literal[2] = 2
    primary_metric: MetricName
    rule: int | None = None
    """Version of the rule that judged; intervals, p-values and verdicts of another version are not comparable."""
    metrics: Metrics
    by_question_type: dict[str, Metrics] = {}
    by_question_type_correction: Line | None = None
    """`holm`: each metric's p-values and verdicts by type are corrected for the number of types. None: they are not."""
    by_source: dict[str, Metrics] = {}
    """The same by the data set's source; corrected in the same way as the types."""
    clean: Metrics = {}
    """The same on the test questions whose reference shares no 13-gram with a training answer."""
    base_generation: Generation | None = None
    fine_tuned_generation: Generation | None = None
    with_sources: WithSources | None = None
    """None where answers with sources were not measured."""
    protocol: dict[str, Line] = {}
    """How it was measured, for people: prompts, decoding, ROUGE variant, resampling."""
    seconds: float | None = None

    _upgrade = model_validator(mode="before")(upgrade_evaluation)


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Holm's step-down adjusted p-values, by the same names."""
    adjusted, highest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(p_values) - rank)))
        adjusted[name] = highest
    return adjusted
