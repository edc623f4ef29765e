"""The real thing, once: the page's way to a trained run, in a process of its own."""

import json
from collections import Counter
from dataclasses import replace

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.device import is_taken
from medqa_core.jobs.launch import advance
from medqa_core.jobs.queue import submit
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.schema.presets import from_preset
from tests.support.jobs import until


def test_a_queued_smoke_run_is_trained_by_its_worker(settings: Settings, lab: Settings) -> None:
    settings = replace(settings, cache=lab.cache)  # the toy model may be there already
    run = submit(from_preset("smoke"), settings, evaluate=False).run
    assert advance(settings) == [run.id]
    until(lambda: run.state() in ("completed", "failed", "lost"), 120)
    assert run.state() == "completed", run.log_tail()
    until(lambda: not is_taken(settings))
    rows = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert set(Counter((row["split"], row["step"]) for row in rows).values()) == {1}
    assert [row["step"] for row in rows if row["split"] == "train"] == list(range(1, 13))
    job = read_job(run.folder).value
    assert job is not None and job.launches == 1
    assert run.evaluation() is None
    until(lambda: "completed after 12 of 12 steps" in run.log_tail(), 60)
