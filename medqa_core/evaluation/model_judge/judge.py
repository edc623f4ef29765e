"""What can judge: anything that replies to a request."""

from typing import Literal, Protocol

from medqa_core.evaluation.model_judge.prompt import Request


class Judge(Protocol):
    """A judge model."""

    name: str
    """As it was asked for."""

    @property
    def where(self) -> Literal["address", "folder"]:
        """Whether it is asked over a network, or loaded here."""
        ...

    @property
    def served(self) -> tuple[str, ...]:
        """What a server called the model that replied; empty for a model of this machine."""
        ...

    def reply(self, request: Request) -> str:
        """Its reply, which may be anything.

        Raises:
            ModelError: it cannot be asked.
        """
        ...
