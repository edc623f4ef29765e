"""How two imported evaluations compare on the same exam questions, in words."""

TITLE = "The same exam questions"


def nothing(first: str, second: str) -> str:
    """What is said where the two share no question; `first` and `second`: what the runs are called."""
    return f"{first} and {second} hold the answers to no question in common."


def caption(first: str, second: str) -> str:
    """What the table shows."""
    return (
        f"First: {first}; second: {second}; difference in percentage points, second − first. Only questions that both "
        "answered are counted, pair by pair (McNemar's exact test, corrected for the number of tasks by Holm)."
    )
