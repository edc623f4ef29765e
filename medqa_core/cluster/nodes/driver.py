"""What the head node does: it hands the work to Ray Train or Ray Tune, which place it on the nodes."""

import os
from dataclasses import replace
from typing import Any

import pyarrow.fs
from ray import tune
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from medqa_core.cluster.job import Job
from medqa_core.cluster.nodes import trial, worker
from medqa_core.cluster.storage import Storage

RUNGS = 1000
"""More validations than any trial has: a trial ends by its own configuration or early, never by this."""


def train(values: dict[str, Any]) -> None:
    """Train one run data-parallel; after a loss of a node once more, from the newest checkpoint."""
    job = Job.read(values)
    share = job.share
    TorchTrainer(
        worker.train,
        train_loop_config=values,
        scaling_config=ScalingConfig(
            num_workers=share.workers,
            use_gpu=share.gpus > 0,
            resources_per_worker=_resources(job, "CPU", "GPU"),
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(failure_config=FailureConfig(max_failures=share.max_failures), **_place(job)),
    ).fit()


def sweep(values: dict[str, Any]) -> None:
    """Run the trials; ASHA (Li et al. 2020) ends those whose validation loss is above the others' median."""
    job = Job.read(values)
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the run folders are the record
    alone = replace(job, trials=()).plain()
    tune.Tuner(
        tune.with_resources(trial.Trial, _resources(job, "cpu", "gpu")),
        param_space={"job": alone, "record": tune.grid_search(list(job.trials))},
        tune_config=tune.TuneConfig(
            metric=trial.LOSS,
            mode="min",
            max_concurrent_trials=job.share.workers,
            scheduler=tune.schedulers.ASHAScheduler(max_t=RUNGS, grace_period=job.grace, reduction_factor=2),
        ),
        run_config=tune.RunConfig(
            failure_config=tune.FailureConfig(max_failures=job.share.max_failures), verbose=0, **_place(job)
        ),
    ).fit()


def _resources(job: Job, cpu: str, gpu: str) -> dict[str, float]:
    each = {cpu: float(job.share.cpus)}
    return each | ({gpu: float(job.share.gpus)} if job.share.gpus else {})


def _place(job: Job) -> dict[str, Any]:
    """Where Ray keeps what it notes of the work itself: beside the runs, under a name that their readers pass over."""
    fs, path = Storage.at(job.storage).remote
    through = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fs))
    return {"name": "ray", "storage_path": f"{path}/.ray-{job.name}", "storage_filesystem": through}
