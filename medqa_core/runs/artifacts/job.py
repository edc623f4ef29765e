"""`job.json`: how a run entered the queue, and the estimate that was made for it."""

from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from medqa_core.foundation.files import write_json
from medqa_core.runs.reading import Reading, read_optional_model
from medqa_core.runs.schema.estimate import Estimate
from medqa_core.runs.schema.record import Record

JOB = "job.json"


class Job(Record):
    """The whole of `job.json`."""

    schema_version: Literal[1] = 1
    submitted_at: AwareDatetime
    """When the run last entered the queue: the queue's order."""
    evaluate: bool = True
    """Whether the worker evaluates base and fine-tuned model after the training and writes the reports."""
    estimate: Estimate | None = None
    """Made beforehand for this configuration."""
    launches: int = Field(0, ge=0)
    """Workers started for it since it last entered the queue."""


def read_job(folder: Path) -> Reading[Job | None]:
    """The run's job; None where it never was in a queue or its file cannot be read."""
    return read_optional_model(folder, JOB, Job)


def evaluates(folder: Path) -> bool:
    """Whether the run's worker evaluates after the training, as nearly all do where the file cannot be read."""
    found = read_job(folder)
    return found.value.evaluate if found.value is not None else bool(found.problems)


def write_job(folder: Path, job: Job) -> None:
    """Replace `job.json`, atomically."""
    write_json(folder / JOB, job.model_dump(mode="json"))
