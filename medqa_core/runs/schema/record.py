"""`run.json`: who, what, with what. Written once when a run starts; an imported run is marked as such."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from medqa_core.foundation.visible import plain
from medqa_core.runs.schema.config import EvaluationConfig, QuestionsConfig, TrainConfig
from medqa_core.runs.schema.upgrade import upgrade_run

Line = Annotated[str, AfterValidator(plain), Field(max_length=2000)]
"""Text that people read on one line; hostile characters are dropped when it is read."""


TrainingKind = Literal["preference", "policy"]
"""A training whose loss does not say how well a model predicts answers: DPO and its like; GRPO, PPO and theirs."""


class Record(BaseModel):
    """Base of everything that is read from a run folder: unknown fields are left alone, NaN is refused."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class BaseModelRecord(Record):
    """The model that was fine-tuned."""

    id: Line
    revision: Line | None = None
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    parameters: int | None = Field(None, ge=0)


class SplitSizes(Record):
    """Question-answer pairs in each part."""

    train: int = Field(ge=0)
    validation: int = Field(ge=0)
    test: int = Field(ge=0)


class OverlapRecord(Record):
    """What the test set has in common with the training set."""

    document: int = Field(ge=0)
    """Test questions whose document is in the training set too; likewise the next three."""
    focus: int = Field(ge=0)
    question: int = Field(ge=0)
    answer: int = Field(ge=0)
    synonym: int | None = Field(None, ge=0)
    """Test questions whose topic shares a name with one of the training set: its own or another that the data give it.
    None, as for the next two: not measured, in runs of versions before 0.3."""
    concept: int | None = Field(None, ge=0)
    """Test questions whose topic shares a specific concept (such as a UMLS CUI) with one of the training set."""
    near_duplicate: int | None = Field(None, ge=0)
    """Test questions whose answer is linked to a training answer by near-duplicates."""
    ngram13_any: float = Field(ge=0, le=1)
    """Share of the test answers of which any run of 13 words stands in a training answer."""
    ngram13_over_half: float = Field(ge=0, le=1)
    """Share of the test answers of which more than half of these runs do; likewise over 80%."""
    ngram13_over_80: float = Field(ge=0, le=1)


class PreparationRecord(Record):
    """What was done to the training answers before a model learnt from them, in numbers of answers."""

    answers: int = Field(ge=0)
    """Training answers there were."""
    lines: int = Field(0, ge=0)
    """Answers whose paragraphs and lists were kept."""
    heading: int = Field(0, ge=0)
    """Answers that lost a leading "Key Points" or "Summary"."""
    question: int = Field(0, ge=0)
    """Answers that opened with their question and do no more."""
    repeated: int = Field(0, ge=0)
    """Answers that lost lines which repeat another one."""
    template_cut: int = Field(0, ge=0)
    """Answers that were mostly template, cut to the sentences that are not."""
    template_left_out: int = Field(0, ge=0)
    """Answers that were template and little else, left out."""
    trimmed: int = Field(0, ge=0)
    """Answers cut at the end of a sentence, since they were longer than an answer may be."""
    too_long_left_out: int = Field(0, ge=0)
    """Answers left out, since not even their first sentence was short enough."""
    right_passage: int | None = Field(None, ge=0)
    """Examples with the right passage among theirs; None where the task is not open book."""
    examples: int = Field(ge=0)
    """Training examples that came of it; each has the end token."""


class DataRecord(Record):
    """The data and how they were split."""

    source: Line
    licence: Line | None = None
    pairs_parsed: int | None = Field(None, ge=0)
    pairs_answered: int | None = Field(None, ge=0)
    duplicates_dropped: int | None = Field(None, ge=0)
    split: SplitSizes | None = None
    split_method: Line | None = None
    split_hash: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    filters: list[Line] = []
    truncated_share: float | None = Field(None, ge=0, le=1)
    """Share of the training examples longer than `max_tokens`, whose end the model never saw."""
    overlap: OverlapRecord | None = None
    """None where it was not measured: older and imported runs."""
    preparation: PreparationRecord | None = None
    """None where answers were taken as they are."""

    @property
    def examples(self) -> int | None:
        """Training examples: the training pairs, or those of them whose prepared answers fit; None: not known."""
        if self.preparation is not None:
            return self.preparation.examples
        return self.split.train if self.split is not None else None


TrainingPrecision = Literal["float32", "bfloat16"]
"""What matrix products are computed in."""


class EnvironmentRecord(Record):
    """The machine and the versions."""

    device: Line | None = None
    precision: TrainingPrecision | None = None
    """Of the training's matrix products. Runs of versions before 0.3 do not say: float32 unless `device` is cuda."""
    threads: int | None = Field(None, ge=1)
    python: Line | None = None
    torch: Line | None = None
    transformers: Line | None = None
    packages: dict[str, Line] = {}


class Check(Record):
    """One consistency check of an imported run."""

    name: Line
    passed: bool | None
    """None: cannot be checked with what the source says."""
    detail: Line


class ImportedModel(Record):
    """The weights of an imported run: what they are, and what was done to them on the way in."""

    kind: Literal["adapter", "fine_tune", "other_model"]
    """`fine_tune`: whole weights of the base's shapes; `other_model`: of other shapes, so that two models are compared
    and nothing is known of what a training changed."""
    folder: Line | None = None
    """Of the source, the folder with the weights where they are not at its top: a checkpoint's name."""
    revision: Line | None = None
    """The commit that was fetched; None for a folder, and in runs that say it in a note."""
    named_base: Line | None = None
    """The base that the source names; None where it names none."""
    own_tokenizer: bool = False
    """Whether both models are asked with the tokenizer and the chat template that came with the weights."""
    notes: list[Line] = []
    """What was changed on the way in, or cannot be known, one sentence each."""


class TaskScore(Record):
    """One figure of one task of an evaluation harness, as its results file states it."""

    task: Line
    """By the harness's name."""
    metric: Line
    value: float
    stderr: float | None = Field(None, ge=0)
    n: int | None = Field(None, ge=1)
    """Questions asked."""
    shots: int | None = Field(None, ge=0)
    """Examples in the prompt."""


class ImportRecord(Record):
    """Where an imported run came from, word for word where it matters, and what it leaves out."""

    format: Literal["summary", "trainer", "lm-eval", "inspect", "model", "curve"]
    """`model`: weights alone; `curve`: rows of a table or tracker by step."""
    source: Line
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    figures: dict[str, float | int | Line] = {}
    """Every figure the source states, by the field's usual name."""
    sections: dict[str, list[Line]] = {}
    """The source's own prose, by its headings; shown as a quotation and never as a finding."""
    missing: list[Line] = []
    tasks: list[TaskScore] = []
    """Of lm-evaluation-harness or Inspect: every task of the file, not the medical subsets of MMLU alone."""
    notes: list[Line] = []
    """What else is to be said of the source: what was kept and is not drawn, what stands on another scale."""
    training: TrainingKind | None = None
    """None: a supervised one, or one that does not tell."""
    checks: list[Check] = []
    model: ImportedModel | None = None
    """None: figures came and no weights."""


class SweepRecord(Record):
    """The sweep that a run is a trial of."""

    id: Line
    trial: int = Field(ge=1)
    parameters: dict[str, float | int | Line] = {}
    """The configuration's fields that the sweep varies, with this trial's values."""


def _utc(value: object) -> object:
    """A date without a zone is taken as UTC, so that an imported one can be compared with ours."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            return value
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return value


class RunRecord(Record):
    """The whole of `run.json`."""

    schema_version: Literal[2] = 2
    id: str
    number: int | None = Field(None, ge=0)
    title: Line
    description: Line = ""
    kind: Literal["finetune", "imported"]
    created_at: Annotated[AwareDatetime, BeforeValidator(_utc)]
    config: TrainConfig | None = None
    """None for an imported run, whose settings are in `imported.figures`."""
    evaluated_on: EvaluationConfig | None = None
    """What an imported run with weights is asked; None for every other run."""
    base_model: BaseModelRecord | None = None
    data: DataRecord | None = None
    environment: EnvironmentRecord = EnvironmentRecord()
    prompt: Line | None = None
    """How a question is put to the fine-tuned model: `chat` (the model's template) or `plain`."""
    code_version: Line | None = None
    imported: ImportRecord | None = None
    sweep: SweepRecord | None = None
    """None for a run of its own."""

    @property
    def questions(self) -> QuestionsConfig | None:
        """What says which questions the run's models are asked; None where nobody can ask them."""
        return self.config or self.evaluated_on

    @property
    def figures_are_reported(self) -> bool:
        """Whether the figures are its source's; those of an imported run with weights are measured here."""
        return self.kind == "imported" and self.evaluated_on is None

    @property
    def training_set_known(self) -> bool:
        """Whether it is known what the model was trained on, without which no leak can be seen."""
        return self.config is not None or (self.evaluated_on is not None and self.evaluated_on.trained_on is not None)

    @property
    def precision(self) -> TrainingPrecision | None:
        """What the matrix products were trained in; None where that is not known.

        Versions before 0.3 trained in float32 without saying so, but on CUDA in bfloat16 where the device had it.
        """
        if self.environment.precision is not None:
            return self.environment.precision
        started_here = self.kind == "finetune" and self.base_model is not None
        return "float32" if started_here and not (self.environment.device or "").startswith("cuda") else None

    _upgrade = model_validator(mode="before")(upgrade_run)
