"""The random number generators of a training: dropout draws from them, so a checkpoint holds their states."""

from collections.abc import Mapping

import torch


def generator_states(device: str) -> dict[str, torch.Tensor]:
    """The states of the generators that a training on `device` draws from, by the generator's device."""
    states = {"cpu": torch.get_rng_state()}
    if device.startswith("cuda"):
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_generator_states(states: Mapping[str, torch.Tensor], device: str) -> None:
    """Put the generators back into these states; one that this machine does not have is passed over."""
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if "cuda" in states and device.startswith("cuda"):
        torch.cuda.set_rng_state(states["cuda"], device)
    if "mps" in states and device == "mps":
        torch.mps.set_rng_state(states["mps"])
