"""`job.json` is read as far as it can be, and never in the way."""

from collections.abc import Callable

import pytest

from medqa_core.runs.artifacts.job import Job, evaluates, read_job, write_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import now
from tests.support.jobs import ESTIMATE


def test_what_is_written_is_read(make: Callable[..., Run]) -> None:
    run, job = make(), Job(submitted_at=now(), evaluate=False, estimate=ESTIMATE)
    write_job(run.folder, job)
    assert read_job(run.folder).value == job


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"submitted_at": "soon"}', '{"schema_version": 2}', "\x00"])
def test_a_missing_or_torn_file_is_no_job(content: str | None, make: Callable[..., Run]) -> None:
    run = make()
    if content is not None:
        (run.folder / "job.json").write_text(content)
    assert read_job(run.folder).value is None
    said = run.snapshot().problems
    assert len(said) == (content is not None) and all("job.json" in line for line in said)
    assert evaluates(run.folder) == (content is not None)


def test_unknown_fields_are_left_alone(make: Callable[..., Run]) -> None:
    run = make()
    (run.folder / "job.json").write_text('{"submitted_at": "2026-01-01T00:00:00Z", "colour": "red"}')
    job = read_job(run.folder).value
    assert job is not None
    assert (job.evaluate, job.estimate, job.launches) == (True, None, 0)
