"""The nested JSON of SQuAD (Rajpurkar et al. 2018): articles, paragraphs, questions, flattened as the hub has it."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from medqa_core.foundation.errors import InputError

NOTE = "SQuAD: the article's title is the topic, its paragraph the document"


def is_squad(value: Mapping[str, Any]) -> bool:
    """Whether an object is a SQuAD file."""
    data = value.get("data")
    return isinstance(data, list) and bool(data) and isinstance(data[0], dict) and "paragraphs" in data[0]


def paragraph_id(context: str) -> str:
    """The document that a paragraph is: questions about one text share it, whatever they are called."""
    return hashlib.sha256(context.encode("utf-8", "replace")).hexdigest()[:16]


def rows(name: str, value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The questions, each with its article's title, its paragraph's hash and its answers' texts.

    Raises:
        InputError: an article is not as in SQuAD; its place is named.
    """
    for place, article in enumerate(value["data"], 1):
        try:
            for paragraph in article["paragraphs"]:
                document = paragraph_id(str(paragraph["context"]))
                for asked in paragraph["qas"]:
                    yield {
                        "id": asked.get("id"),
                        "topic": article.get("title"),
                        "document": document,
                        "question": asked["question"],
                        "answers": {"text": [answer["text"] for answer in asked.get("answers") or ()]},
                        "is_impossible": bool(asked.get("is_impossible", False)),
                    }
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{name}: article {place:,}: not as in SQuAD ({error}); each needs paragraphs with context and qas."
            ) from error
