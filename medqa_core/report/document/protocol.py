"""How a run was measured, as lines: the one place that knows how evaluation.json keeps its protocol."""

from collections.abc import Mapping

from medqa_core.foundation.format import capital, words

MOST = 20


def protocol_lines(protocol: Mapping[str, str]) -> tuple[str, ...]:
    """A line for each of its fields."""
    some = list(protocol.items())[:MOST]
    return tuple(f"{capital(words(name, 60).replace('_', ' '))}: {words(text)}" for name, text in some)
