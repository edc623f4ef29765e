"""What a cluster is asked to do, as plain values that any node can read."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Scaling:
    """How many workers, what each of them gets, and how often the cluster restarts them after it lost one."""

    workers: int = 1
    """Processes that train one run together, or trials that run at a time."""
    cpus: int = 1
    """Of each worker; likewise `gpus`."""
    gpus: int = 0
    max_failures: int = 3


@dataclass(frozen=True)
class ClusterRequest:
    """A training, or the trials of a sweep."""

    name: str
    """The run, or the sweep."""
    storage: str
    scaling: Scaling
    version: str
    """Of this program: nodes with another one refuse."""
    trials: tuple[dict[str, Any], ...] = ()
    """Records of the runs to make, for a sweep."""
    grace: int = 2
    """Validations of each trial before it may be ended early."""

    def plain(self) -> dict[str, Any]:
        """As what crosses to the nodes."""
        return asdict(self)

    @classmethod
    def read(cls, values: dict[str, Any]) -> "ClusterRequest":
        """The request that `plain` wrote."""
        rest = {**values, "scaling": Scaling(**values["scaling"]), "trials": tuple(values["trials"])}
        return cls(**rest)
