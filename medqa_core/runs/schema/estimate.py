"""What a fine-tune will cost, from a few measured steps."""

from pydantic import Field

from medqa_core.runs.schema.record import Line, Record, TrainingPrecision


class Range(Record):
    """A quantity with the range in which it is expected."""

    low: float = Field(ge=0)
    middle: float = Field(ge=0)
    high: float = Field(ge=0)


class ComputedMemory(Record):
    """The peak of a training step in bytes, computed from shapes, by what takes it."""

    weights: int = Field(ge=0)
    gradients: int = Field(ge=0)
    moments: int = Field(ge=0)
    """AdamW's two for each trained weight."""
    activations: int = Field(ge=0)
    """What a forward pass keeps for the backward pass, and its logits; or a validation's logits where they are more."""
    process: int = Field(0, ge=0)
    """What the process held before it loaded the model; on a CPU its libraries, on a GPU nothing."""

    @property
    def state(self) -> int:
        """Weights, gradients and moments: what no smaller batch saves."""
        return self.weights + self.gradients + self.moments

    @property
    def total(self) -> int:
        """All of it."""
        return self.state + self.activations + self.process


class Estimate(Record):
    """The plan of a fine-tune in figures. Times are in seconds, memory in bytes."""

    device: Line
    precision: TrainingPrecision | None = None
    """None: an estimate of a version before 0.3."""
    steps: int = Field(ge=1)
    """Optimizer steps of the whole run."""
    tokens: int = Field(ge=1)
    """Tokens of the whole run, prompts included, padding not."""
    truncated_share: float = Field(ge=0, le=1)
    """Share of the training examples longer than `max_tokens`."""
    measured_steps: int = Field(ge=1)
    tokens_per_second: float = Field(gt=0)
    train_seconds: Range
    """Training with its validations and what it writes."""
    memory: int = Field(ge=0)
    """Peak of the measured steps; longer batches to come may need more."""
    computed: ComputedMemory | None = None
    """The same peak computed from shapes; None: an estimate of a version before 0.3."""
    memory_total: int = Field(ge=0)
