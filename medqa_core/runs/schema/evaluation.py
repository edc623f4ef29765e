"""`evaluation.json`: base against fine-tuned, metric by metric, in a form that others can rely on."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BeforeValidator, Field, model_validator

from medqa_core.runs.schema.record import Line, OverlapRecord, Record
from medqa_core.runs.schema.upgrade import upgrade_evaluation

Name = TypeVar("Name")
Variant = Literal["base", "fine_tuned"]
VARIANTS: tuple[Variant, Variant] = ("base", "fine_tuned")
"""The two models whose answers are compared, as columns and files name them."""
Verdict = Literal["better", "worse", "equivalent", "cannot tell"]
MetricName = Literal[
    "loss",
    "perplexity",
    "bits_per_byte",
    "loss_outside_templates",
    "topic_information",
    "rouge1",
    "rouge2",
    "rougeL",
    "token_f1",
    "rougeL_outside_templates",
    "token_f1_outside_templates",
    "content_f1",
    "specifics",
    "mmlu",
]
ROUGE: tuple[MetricName, MetricName, MetricName] = ("rouge1", "rouge2", "rougeL")
ANSWER_SCORES: tuple[MetricName, ...] = (*ROUGE, "token_f1")
"""Scores of an answer against its references."""
ControlName = Literal["template_answer", "nearest_answer", "top_passage"]
"""Answers without a model: the typical training answer of the question's pattern with the topic pasted in, the answer
to the nearest training question, the passage that was found first."""
SpecificKind = Literal["gene", "number", "name"]
"""Gene symbols, numbers with a unit, proper names."""

LOWER_IS_BETTER: frozenset[str] = frozenset({"loss", "perplexity", "bits_per_byte", "loss_outside_templates"})

HOLM = "holm"
"""The only correction that readers take for done; of any other word they know nothing and correct themselves."""

PromptKind = Literal["chat", "plain"]
"""A chat model's own template, or `Question: … / Answer:`."""
Precision = Literal["float32", "int8"]
"""Of the weights while decoding. With `int8` other tokens come out: never the default, nor that of a verdict."""


def _known(names: Any) -> BeforeValidator:
    """Drops names of a newer version: what is known of the others still counts."""
    known = get_args(names)
    return BeforeValidator(
        lambda found: {n: v for n, v in found.items() if n in known} if isinstance(found, dict) else found
    )


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


class SpecificsCount(Record):
    """How many specifics of one kind a column of answers states, each once an answer, and how many are borne out."""

    answers: int = Field(ge=0)
    """Answers that state any."""
    right_answers: int = Field(ge=0)
    """Answers that state one that stands in a reference of the question."""
    stated: int = Field(ge=0)
    in_reference: int = Field(ge=0)
    in_passages: int | None = Field(None, ge=0)
    """That stand in the passages read; None where none were."""


class Generation(Record):
    """How the answers of one model came out, beside ROUGE because ROUGE rewards length."""

    empty_share: float = Field(ge=0, le=1)
    mean_tokens: float = Field(ge=0)
    length_ratio: float = Field(ge=0)
    """Mean answer length over mean reference length, in words."""
    repetition: float | None = Field(None, ge=0, le=1)
    """Mean share of an answer's 4-word runs that repeat an earlier one of the same answer."""
    template_share: float | None = Field(None, ge=0, le=1)
    """Share of the answers' words that lie in templates; None: not known, as in the next two."""
    ended_share: float | None = Field(None, ge=0, le=1)
    """Share of the answers that ended by themselves and were not cut at the most tokens allowed."""
    specifics: Annotated[dict[SpecificKind, SpecificsCount], _known(SpecificKind)] | None = None
    supported_share: float | None = Field(None, ge=0, le=1)
    """Mean share of an answer's content words that the passages it read hold; None without passages."""
    cited_share: float | None = Field(None, ge=0, le=1)
    """Share of the answers that named a passage by its number."""
    seconds: float = Field(ge=0)
    prompt: Line


Metrics = Annotated[dict[MetricName, Metric], _known(MetricName)]
"""A verdict per metric."""


class Decoding(Record):
    """How the answers' tokens were chosen."""

    method: Literal["greedy"] = "greedy"
    max_new_tokens: int = Field(ge=1)
    engine: Line
    """The library that decoded, with its version."""
    precision: Precision = "float32"
    """Of the weights while decoding; the loss is always computed in float32."""


class Rouge(Record):
    """The variant of ROUGE."""

    package: Line = "rouge_score"
    statistic: Literal["f_measure"] = "f_measure"
    stemming: bool = True
    references: Literal["best"] = "best"
    """Of several references, each taken whole, the one that scores best counts, metric by metric."""


class TokenF1(Record):
    """The variant of token F1."""

    lower_case: bool = True
    references: Literal["best"] = "best"


class ContentProtocol(Record):
    """What the measures outside of templates leave out."""

    words: int = Field(ge=1)
    """A run of so many words is template if, the topic's name masked, …"""
    topics: int = Field(ge=1)
    """… it stands in answers on so many topics, in the whole data set."""
    templates: bool
    """Whether there is any."""
    language: Line | None = None
    """Whose function words content F1 leaves out; None: no language was recognised, and none are."""


class ControlsProtocol(Record):
    """How the answers of the controls were made."""

    most_words: int = Field(ge=1)
    """An answer is cut to so many words, about as many as the models' may have."""
    patterns: int = Field(ge=0)
    """Question patterns with a typical answer of their own."""
    method: Line
    """What finds the nearest training question."""


class OtherTopicProtocol(Record):
    """The questions about another topic, under which a reference's loss is taken once more."""

    kind: Literal["question pattern", "question type", "any question"]
    """What they have in common with the question itself, at least."""
    seed: int
    questions: int = Field(ge=0)
    """Test questions for which there is one."""


class BaseLosses(Record):
    """The base's validation loss under each prompt, so that nobody need wonder whether it got a bad one."""

    by_prompt: dict[PromptKind, float | None]
    """Nats per token; None: not finite."""
    questions: int = Field(ge=0)
    """Validation questions."""


class Resampling(Record):
    """Where intervals and p-values come from."""

    unit: Literal["topic"] = "topic"
    """What is drawn as a whole: questions connected by document, topic, question or answer."""
    interval: Literal["bootstrap"] = "bootstrap"
    level: float = Field(0.95, gt=0, lt=1)
    test: Literal["permutation"] = "permutation"
    number: int | None = Field(None, ge=1)
    """Resamples; None where the file does not say."""


class Correction(Record):
    """How p-values are corrected where several tests are made."""

    method: Literal["holm"] = "holm"
    over: tuple[Literal["secondary metrics", "question types", "sources", "compared models"], ...]
    """Each is a family of tests that is corrected in itself."""
    level_without_primary: float | None = Field(None, gt=0, lt=1)
    """Significance level of the secondary metrics where the primary one finds nothing."""
    parts_within_whole: bool = False
    """Whether no part of the questions gets a smaller p-value than the same metric has on all of them."""


Scoring = Literal["letter", "calibrated", "cloze"]
"""What of a multiple-choice question is compared: the letters' likelihoods behind the listed choices, the same with
each letter's mean taken out, or the likelihoods of the choices' own texts behind a question that lists none."""


class MMLUProtocol(Record):
    """How MMLU's questions were asked."""

    scoring: Scoring | None = None
    per_byte: bool = False
    """Whether cloze likelihoods were divided by the texts' lengths in bytes, as from version 0.3 on."""
    shots: int | None = Field(None, ge=0)
    """Examples in the prompt."""
    pooled_on_import: bool = False
    """The accuracy over all questions was computed on import, from that of each subset."""


Library = Literal["training answers", "data set", "other documents"]
"""What passages are searched in: the run's training answers, every answer of the data set, or these without those of
the question's own document."""


class RetrievalProtocol(Record):
    """Which passages a model read before it answered."""

    passages: int = Field(ge=1)
    """At most so many per question, no two of them from the same answer."""
    method: Line
    """What found them in the library."""
    library: Library = "training answers"
    """What was searched."""
    test_documents_held_out: bool
    """Whether what was searched holds no document of the question."""
    asked: int | None = Field(None, ge=0)
    """Test questions asked, chosen at random; None: all of them."""
    of: int | None = Field(None, ge=0)
    """Test questions of the run, where only some were asked."""


class Protocol(Record):
    """How answers were made, measured and judged. A part that is None was not made, or is not known."""

    prompt: PromptKind | None = None
    """For both models."""
    loss_tokens: int | None = Field(None, ge=1)
    """The loss is over the reference answer as far as it, with its prompt, lies within so many tokens."""
    test_questions: int | None = Field(None, ge=1)
    """So many of the split's test questions were asked, chosen at random; None: all of them."""
    decoding: Decoding | None = None
    rouge: Rouge | None = None
    token_f1: TokenF1 | None = None
    copied_words: int | None = Field(None, ge=1)
    """Words in a row that an answer has in common with one training answer, from which on they count as copied."""
    content: ContentProtocol | None = None
    controls: ControlsProtocol | None = None
    other_topic: OtherTopicProtocol | None = None
    base_losses: BaseLosses | None = None
    retrieval: RetrievalProtocol | None = None
    """None for answers without sources."""
    resampling: Resampling | None = None
    correction: Correction | None = None
    mmlu: MMLUProtocol | None = None
    base_sha256: Line | None = None
    """Of the weights, as `fine_tuned_sha256`; both are 64 hex digits in what this program wrote."""
    fine_tuned_sha256: Line | None = None
    fine_tuned_config_sha256: Line | None = None
    """Of the configuration beside the fine-tuned weights; None in evaluations of versions before 0.3."""
    notes: dict[str, Line] = {}
    """What an earlier version wrote in words that no field can hold."""

    def same_weights(self, other: "Protocol") -> bool:
        """Whether both name the same weights of both models, and the same configuration of them where both name it."""
        configs = {self.fine_tuned_config_sha256, other.fine_tuned_config_sha256} - {None}
        same = (self.base_sha256, self.fine_tuned_sha256) == (other.base_sha256, other.fine_tuned_sha256)
        return same and len(configs) <= 1

    def comparable(self, other: "Protocol") -> bool:
        """Whether answers of both can be compared: the same weights, decoded alike."""
        return self.same_weights(other) and self.decoding == other.decoding


class WithSources(Record):
    """Answers given after reading passages of the training documents, against both models' without them.

    In its metrics `base` is the value of the model that is compared with, `fine_tuned` that of the answers with
    sources, `difference` with sources − that model; p-values are corrected for all comparisons here together.
    """

    weights: Variant
    """Whose weights read the passages and answered."""
    against_base: Metrics = {}
    against_fine_tuned: Metrics = {}
    generation: Generation | None = None
    protocol: Protocol = Protocol()


class Control(Record):
    """A column of answers without a model, judged like the models on the same questions.

    In the metrics `base` is the control's value, `fine_tuned` that of the model it is compared with, `difference` that
    model − control; p-values are corrected for all comparisons of this control together.
    """

    values: Annotated[dict[MetricName, float], _known(MetricName)] = {}
    """The control's own value, over the questions that it has an answer to."""
    base: Metrics = {}
    """The base model against the control."""
    fine_tuned: Metrics = {}
    with_sources: Metrics = {}
    """The answers with sources against the control; empty where there are none."""
    answered: int | None = Field(None, ge=0)
    """Questions that it has an answer to."""
    mean_words: float | None = Field(None, ge=0)
    reason: Line | None = None
    """Why there is no such answer, where that is so."""


class References(Record):
    """What the test questions' own references are made of, and how much of them is measured. None: not known."""

    template_share: float | None = Field(None, ge=0, le=1)
    """Share of their words that lie in templates."""
    template_share_by_question_type: dict[str, float] = {}
    scored_share: float | None = Field(None, ge=0, le=1)
    """Share of their UTF-8 bytes that enter the loss."""


class Evaluation(Record):
    """The whole of `evaluation.json`."""

    schema_version: Literal[3] = 3
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
    references: References | None = None
    overlap: OverlapRecord | None = None
    """What the test set shares with training, by every relation that is known today; run.json has those of its day."""
    controls: Annotated[dict[ControlName, Control], _known(ControlName)] = {}
    """Empty where none was measured."""
    with_sources: WithSources | None = None
    """None where answers with sources were not measured."""
    protocol: Protocol = Protocol()
    seconds: float | None = None

    _upgrade = model_validator(mode="before")(upgrade_evaluation)


def holm(p_values: Mapping[Name, float]) -> dict[Name, float]:
    """Holm's step-down adjusted p-values, by the same names."""
    adjusted, highest = {}, 0.0
    for rank, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        highest = max(highest, min(1.0, p * (len(p_values) - rank)))
        adjusted[name] = highest
    return adjusted
