"""A data set whose answers are one form letter with the topic's name filled in, invented."""

from medqa_core.data.pairs import QAPair

LETTER = "People who have {} should always ask their own doctor about all"
"""Twelve words with a topic of one word in them."""
TOPICS = ("Arl", "Bem", "Cux", "Dov", "Elg", "Fip", "Gok", "Hym")


def letters(letter: str = LETTER) -> list[QAPair]:
    """A pair a topic, each with two words of its own behind the letter."""
    return [
        QAPair(
            id=f"made:{place}",
            document=f"made:{topic}",
            topic=topic,
            question_type="causes",
            question=f"What causes {topic}?",
            answer=f"{letter.format(topic)} thing{place} sign{place}",
            source="made",
        )
        for place, topic in enumerate(TOPICS)
    ]
