"""Questions and answers with their topic's name taken out: what is asked, whatever it is asked about."""

from collections.abc import Iterator

from medqa_core.data.words import word_spans, words

TOPIC = "[topic]"
"""Stands for the topic's name; no word is spelt so."""


def pattern(question: str, topic: str) -> str:
    """The question's words with the topic's name as TOPIC: `what causes [topic]`; without that name, all its words."""
    return " ".join(masked(words(question), words(topic))[0])


def masked(found: list[str], name: list[str]) -> tuple[list[str], list[int]]:
    """The words with each occurrence of `name` as one TOPIC, and how many words each of these tokens stands for."""
    tokens: list[str] = []
    lengths: list[int] = []
    start = 0
    for place in _places(found, name):
        tokens += [*found[start:place], TOPIC]
        lengths += [1] * (place - start) + [len(name)]
        start = place + len(name)
    return tokens + found[start:], lengths + [1] * (len(found) - start)


def with_topic(text: str, topic: str, other: str) -> str:
    """`text` with each mention of `topic`, however it is capitalised, replaced by `other`."""
    name, spans = words(topic), word_spans(text)
    for start in reversed(list(_places(words(text), name))):
        text = text[: spans[start][0]] + other + text[spans[start + len(name) - 1][1] :]
    return text


def _places(tokens: list[str], name: list[str]) -> Iterator[int]:
    """Where the words of `name` stand in a row, from left to right and without overlap."""
    place = 0
    while name and name[0] in tokens[place:]:
        place = tokens.index(name[0], place)
        if tokens[place : place + len(name)] == name:
            yield place
            place += len(name)
        else:
            place += 1
