"""The driver, on the head node: it has Ray Train or Ray Tune place the workers on the nodes."""

import os
from dataclasses import replace
from typing import Any

import pyarrow.fs
from ray import tune
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from medqa_core.cluster.nodes import tune_trial, worker
from medqa_core.cluster.request import ClusterRequest
from medqa_core.cluster.storage import Storage

RUNGS = 1000
"""More validations than any trial has: a trial ends by its own configuration or early, never by this."""


def drive_training(values: dict[str, Any]) -> None:
    """Train one run data-parallel; where a node is lost, again from the newest checkpoint."""
    request = ClusterRequest.read(values)
    scaling = request.scaling
    TorchTrainer(
        worker.train_worker,
        train_loop_config=values,
        scaling_config=ScalingConfig(
            num_workers=scaling.workers,
            use_gpu=scaling.gpus > 0,
            resources_per_worker=_resources(request, "CPU", "GPU"),
            placement_strategy="SPREAD",
        ),
        run_config=RunConfig(failure_config=FailureConfig(max_failures=scaling.max_failures), **_ray_storage(request)),
    ).fit()


def drive_sweep(values: dict[str, Any]) -> None:
    """Run the trials; ASHA (Li et al. 2020) ends those whose validation loss is above the others' median."""
    request = ClusterRequest.read(values)
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # the run folders are the record
    without_trials = replace(request, trials=()).plain()
    tune.Tuner(
        tune.with_resources(tune_trial.TuneTrial, _resources(request, "cpu", "gpu")),
        param_space={"request": without_trials, "record": tune.grid_search(list(request.trials))},
        tune_config=tune.TuneConfig(
            metric=tune_trial.LOSS,
            mode="min",
            max_concurrent_trials=request.scaling.workers,
            scheduler=tune.schedulers.ASHAScheduler(
                time_attr=tune_trial.NUMBER, max_t=RUNGS, grace_period=request.grace, reduction_factor=2
            ),
        ),
        run_config=tune.RunConfig(
            failure_config=tune.FailureConfig(max_failures=request.scaling.max_failures),
            verbose=0,
            **_ray_storage(request),
        ),
    ).fit()


def _resources(request: ClusterRequest, cpu: str, gpu: str) -> dict[str, float]:
    each = {cpu: float(request.scaling.cpus)}
    return each | ({gpu: float(request.scaling.gpus)} if request.scaling.gpus else {})


def _ray_storage(request: ClusterRequest) -> dict[str, Any]:
    """Where Ray keeps its own state: beside the runs, under a name that their readers skip."""
    fs, path = Storage.at(request.storage).remote
    filesystem = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(fs))
    return {"name": "ray", "storage_path": f"{path}/.ray-{request.name}", "storage_filesystem": filesystem}
