"""Questions and answers with their topic's name taken out: what is asked, whatever it is asked about."""

from collections.abc import Iterator

from medqa_core.data.words import word_spans, words

TOPIC = "[topic]"
"""Stands for the topic's name in a pattern; no word is spelt so."""


def pattern(question: str, topic: str) -> str:
    """The question's words with the topic's name as TOPIC: `what causes [topic]`; without that name, all its words."""
    tokens, name = words(question), words(topic)
    for start in reversed(list(_places(tokens, name))):
        tokens[start : start + len(name)] = [TOPIC]
    return " ".join(tokens)


def with_topic(text: str, topic: str, other: str) -> str:
    """`text` with each mention of `topic`, however it is capitalised, replaced by `other`."""
    name, spans = words(topic), word_spans(text)
    for start in reversed(list(_places(words(text), name))):
        text = text[: spans[start][0]] + other + text[spans[start + len(name) - 1][1] :]
    return text


def _places(tokens: list[str], name: list[str]) -> Iterator[int]:
    """Where the words of `name` stand in a row, from left to right and without overlap."""
    place = 0
    while name and place + len(name) <= len(tokens):
        if tokens[place : place + len(name)] == name:
            yield place
            place += len(name)
        else:
            place += 1
