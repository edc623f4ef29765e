"""`job.json`: how a run entered the queue, and the estimate that was made for it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from medqa_core.foundation.errors import RunError
from medqa_core.foundation.files import write_json
from medqa_core.runs.reading import read_model
from medqa_core.runs.run import Run
from medqa_core.runs.schema.estimate import Estimate
from medqa_core.runs.schema.record import Record


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


def new_job(*, evaluate: bool, estimate: Estimate | None) -> Job:
    """The job of a run that enters the queue now."""
    return Job(submitted_at=datetime.now(UTC), evaluate=evaluate, estimate=estimate)


def read_job(run: Run) -> Job | None:
    """The run's job, or None where it never was in a queue or its file cannot be read."""
    try:
        return read_model(run.folder, "job.json", Job)
    except RunError:
        return None


def write_job(folder: Path, job: Job) -> None:
    """Replace `job.json`, atomically."""
    write_json(folder / "job.json", job.model_dump(mode="json"))
