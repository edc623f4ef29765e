"""The configuration of a fine-tune: every field with its meaning, range and default."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from medqa_core.foundation.errors import InputError, UnknownName, shorten


def _size(value: object) -> object:
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        number = -1
    if value is None or (isinstance(number, int | float) and (0 < number < 1 or 1 <= number <= 1_000_000)):
        return int(number) if isinstance(number, int | float) and number == int(number) else number
    raise ValueError("give a number of pairs such as 3500, a fraction such as 0.1, or none")


Size = Annotated[int | float | None, BeforeValidator(_size)]
"""How much of a data set: a number of pairs, a fraction of the usable ones, or None for all there are."""


def _columns(value: object) -> object:
    """`question=Frage, answer=Antwort` as a mapping of our names to a file's."""
    if not isinstance(value, str):
        return value
    pairs = [item.partition("=") for item in value.split(",") if item.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError("write it as question=COLUMN,answer=COLUMN")
    return {name.strip(): column.strip() for name, _, column in pairs}


def _none(value: object) -> object:
    """`none` as a name among others, where None arrives for it: from the command line and the form."""
    return "none" if value is None else value


def _text(value: object) -> object:
    """No text where None arrives, which `--set description=` gives."""
    return "" if value is None else value


Quantization = Literal["none", "8bit", "4bit"]
"""How the frozen weights of an adapter run are kept."""

Preparation = Literal["none", "answers"]
"""What is done to answers before a model learns from them: docs/decisions/0038."""

TrackerName = Literal["none", "tensorboard", "trackio", "mlflow", "wandb"]
"""Where the rows of the loss curve go as well."""

SPLIT_VERSION = 2
"""The latest of what counts as shared by two pairs; 1 is that of versions before 0.3."""

READING_VERSION = 2
"""The latest of how files of one's own are read; 1 is that of versions before 0.3."""

CPU_TOKENS_PER_FORWARD, ACCELERATOR_TOKENS_PER_FORWARD = 1024, 8192
"""Tokens of a forward pass where `max_tokens_per_forward` leaves them to the program."""


class TrainConfig(BaseModel):
    """One fine-tune, whole: the same configuration on the same machine gives the same run."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    preset: str = Field("custom", description="name of the preset this started from")
    title: str = Field("Fine-tune", min_length=1, max_length=120, description="what the run is called")
    description: Annotated[str, BeforeValidator(_text)] = Field(
        "", max_length=500, description="what the run is meant to find out"
    )

    base_model: str = Field("smollm2-135m-instruct", description="the embedded default, `toy`, a hub id or a folder")
    revision: str | None = Field(None, description="a hub model's revision")

    dataset: str = Field("starter", description="`starter`, `medquad`, a file or folder of your own, or a hub id")
    columns: Annotated[dict[str, str], BeforeValidator(_columns)] = Field(
        {}, description="a file's columns by our names: question=COLUMN,answer=COLUMN"
    )
    test_dataset: str | None = Field(None, description="a data set of its own for the test; none = a part of `dataset`")
    reading_version: int = Field(
        READING_VERSION,
        ge=1,
        le=READING_VERSION,
        description="how files are read; 1 is that of versions before 0.3, without formats, HTML and placeholders",
    )
    train_size: Size = Field(None, description="training examples, or a fraction; none = all there are")
    validation_size: Size = Field(None, description="validation examples, or a fraction; none = all")
    test_size: Size = Field(None, description="test examples, or a fraction; none = all")
    split_method: Literal["grouped", "random"] = Field(
        "grouped", description="`grouped` keeps what shares a topic or text in one part; `random` leaks"
    )
    split_version: int = Field(
        SPLIT_VERSION, ge=1, le=SPLIT_VERSION, description="what counts as shared; 1 is that of versions before 0.3"
    )
    split_seed: int = Field(42, ge=0, le=2**32 - 1, description="seed of the split")

    preparation: Annotated[Preparation, BeforeValidator(_none)] = Field(
        "none", description="`answers` cleans answers and ends training answers in time; `none` takes them as they are"
    )
    max_template_share: float = Field(
        1.0, ge=0, le=1, description="prepared training answers with more template are cut to the rest, or left out"
    )
    task: Literal["closed_book", "open_book"] = Field(
        "closed_book", description="answer from the weights, or from passages that are found and stand in the prompt"
    )
    passages: int = Field(3, ge=1, le=10, description="task `open_book`: passages per question")
    right_passage_share: float = Field(
        0.85, ge=0, le=1, description="task `open_book`: training examples with the right passage among the others"
    )
    without_right_passage: Literal["abstain", "answer"] = Field(
        "abstain", description="task `open_book`: what examples without the right passage teach"
    )
    passage_order: Literal["shuffled", "ranked"] = Field(
        "shuffled", description="task `open_book`: passages of a training prompt; `ranked`: as a question gets them"
    )

    method: Literal["lora", "last_k", "full"] = Field(
        "lora", description="low-rank adapter, last layers, or all weights"
    )
    last_k: int = Field(6, ge=1, le=1000, description="layers that `last_k` trains, counted from the last")
    lora_layers: int | None = Field(
        None, ge=1, le=1000, description="layers with an adapter, counted from the last; none = all"
    )
    lora_rank: int = Field(8, ge=1, le=256, description="rank of the adapter")
    lora_alpha: int = Field(16, ge=1, le=1024, description="scale of the adapter: alpha / rank")
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="dropout in front of the adapter")

    quantization: Annotated[Quantization, BeforeValidator(_none)] = Field(
        "none", description="frozen weights of method lora in 8 or 4 bits; needs CUDA and the extra gpu"
    )
    gradient_checkpointing: bool = Field(
        False, description="compute activations again in the backward pass: less memory, 30 to 70% more time"
    )

    epochs: float = Field(1.0, gt=0, le=1000, description="passes over the training set")
    batch_size: int = Field(2, ge=1, le=1024, description="examples per batch")
    gradient_accumulation_steps: int = Field(4, ge=1, le=1024, description="batches per optimizer step")
    max_tokens_per_forward: int | None = Field(
        None,
        ge=16,
        le=1_000_000,
        description="tokens per forward pass: sets memory and speed, not the result; none = what suits the device",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the matrix products; `auto` takes bfloat16 where the device is measured faster with it"
    )
    max_tokens: int = Field(384, ge=16, le=8192, description="longest example in tokens; the rest is cut off")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="peak learning rate of AdamW")
    schedule: Literal["linear", "cosine", "constant"] = Field("cosine", description="learning rate after warm-up")
    warmup_steps: int = Field(10, ge=0, le=100_000, description="steps of linear warm-up")
    weight_decay: float = Field(0.0, ge=0, le=1, description="decoupled weight decay")
    max_grad_norm: float = Field(1.0, gt=0, le=1000, description="gradient norm above which gradients are clipped")
    seed: int = Field(42, ge=0, le=2**32 - 1, description="seed of weights, order and dropout")

    logging_steps: int = Field(1, ge=1, le=100_000, description="optimizer steps between logged losses")
    eval_steps: int = Field(25, ge=1, le=1_000_000, description="optimizer steps between validations")
    eval_examples: int = Field(128, ge=1, le=100_000, description="validation examples used while training, at most")
    patience: int | None = Field(
        None, ge=1, le=10_000, description="validations without a lower loss that end the training; none = never"
    )
    checkpoint_minutes: float = Field(
        10.0, ge=0, le=1440, description="minutes between checkpoints, of which two are kept; 0 = at every step"
    )
    report_to: Annotated[TrackerName, BeforeValidator(_none)] = Field(
        "none", description="a tracker that is told each logged row too; needs its package (extra trackers)"
    )

    max_new_tokens: int = Field(128, ge=1, le=2048, description="longest generated answer at evaluation, in tokens")
    primary_metric: Literal["loss", "rougeL"] = Field("loss", description="the metric that decides the verdict")

    @property
    def effective_batch(self) -> int:
        """Examples per optimizer step."""
        return self.batch_size * self.gradient_accumulation_steps

    @property
    def last_layers(self) -> int | None:
        """How many layers are trained or carry an adapter, counted from the last; None: all of them."""
        return {"last_k": self.last_k, "lora": self.lora_layers, "full": None}[self.method]

    def steps_per_epoch(self, examples: int) -> int:
        """Optimizer steps of one pass over so many training examples; the last one may be smaller."""
        return math.ceil(examples / self.effective_batch)

    def steps(self, examples: int) -> int:
        """Optimizer steps of the whole run on so many training examples."""
        return max(1, math.ceil(self.epochs * self.steps_per_epoch(examples) - 1e-9))

    def examples_seen(self, step: int, examples: int) -> int:
        """Examples seen after a step, counted from 1, of so many training examples; repeats counted."""
        epochs, position = divmod(step, self.steps_per_epoch(examples))
        return epochs * examples + min(position * self.effective_batch, examples)

    def learning_rate_at(self, step: int, examples: int) -> float:
        """The learning rate of a step: linear warm-up to the peak, then as `schedule` says; never 0."""
        if step <= self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        done = (step - self.warmup_steps - 1) / max(1, self.steps(examples) - self.warmup_steps)
        factor = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}
        return self.learning_rate * factor[self.schedule]


class EvaluationConfig(BaseModel):
    """What a model that was trained elsewhere is asked, and how. Fields that TrainConfig has mean the same.

    Every pair of the data set is a test question, or `test_size` of them: how it was split elsewhere is not known here.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    dataset: str
    """Where the test questions are from."""
    columns: Annotated[dict[str, str], BeforeValidator(_columns)] = {}
    test_size: Size = None
    trained_on: str | None = None
    """The data set that the model was trained on; None: it is not known, and leaks into the test set cannot be seen."""
    trained_on_columns: Annotated[dict[str, str], BeforeValidator(_columns)] = {}
    reading_version: int = Field(READING_VERSION, ge=1, le=READING_VERSION)
    split_version: int = Field(SPLIT_VERSION, ge=1, le=SPLIT_VERSION)
    split_seed: int = Field(42, ge=0, le=2**32 - 1)
    """Which test questions are chosen where `test_size` asks for fewer than there are."""
    preparation: Preparation = "none"
    task: Literal["closed_book", "open_book"] = "closed_book"
    passages: int = Field(3, ge=1, le=10)
    max_tokens: int = Field(384, ge=16, le=8192)
    max_new_tokens: int = Field(128, ge=1, le=2048)
    primary_metric: Literal["loss", "rougeL"] = "loss"


QuestionsConfig = TrainConfig | EvaluationConfig
"""What says which questions a run's models are asked, whether it was trained here or elsewhere."""


def validated(values: Mapping[str, Any]) -> TrainConfig:
    """`values` as a configuration; text is converted to the field's type.

    Raises:
        UnknownName: a field that does not exist, with the nearest one that does.
        InputError: a wrong type or a value out of range, in one line that names the field and what is allowed.
    """
    for name in values:
        if name not in TrainConfig.model_fields:
            raise UnknownName("configuration field", name, TrainConfig.model_fields)
    try:
        config = TrainConfig.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        if first["type"] == "literal_error":
            raise UnknownName(
                name, str(values.get(name)), get_args(TrainConfig.model_fields[name].annotation)
            ) from error
        reason = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{shorten(repr(values.get(name)))} is not allowed; {reason[0].lower()}{reason[1:]} "
            f"({TrainConfig.model_fields[name].description}).",
            field=name,
        ) from error
    check_quantization(config)
    return config


def validated_evaluation(values: Mapping[str, Any]) -> EvaluationConfig:
    """`values` as what an imported model is asked; text is converted to the field's type.

    Raises:
        InputError: a wrong type or a value out of range, in one line that names the field.
    """
    try:
        return EvaluationConfig.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name, reason = str(first["loc"][0]), first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"{shorten(repr(values.get(name)))} is not allowed; {reason[0].lower()}{reason[1:]}.", field=name
        ) from error


def check_quantization(config: TrainConfig) -> None:
    """Only frozen weights can be quantised: those of an adapter run.

    Raises:
        InputError: the method trains the weights themselves.
    """
    if config.quantization != "none" and config.method != "lora":
        raise InputError(
            f"{config.quantization} weights cannot be trained, and method {config.method} trains them; use method lora "
            "or leave it at none.",
            field="quantization",
        )


def parse_assignments(assignments: list[str]) -> dict[str, Any]:
    """`["epochs=3", "train_size=none"]` as a mapping of field to text (or None).

    Raises:
        InputError: an item without `=`.
    """
    values: dict[str, Any] = {}
    for item in assignments:
        name, equals, value = item.partition("=")
        if not equals:
            raise InputError(f"{shorten(item)!r} is not FIELD=VALUE.", field="--set")
        values[name.strip()] = None if value.strip().lower() in {"none", "null", ""} else value.strip()
    return values
