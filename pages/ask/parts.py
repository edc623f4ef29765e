"""The widget's components that a question changes: what the layout makes and the listeners write into."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import gradio as gr


class Card(NamedTuple):
    """One answer's components."""

    frame: gr.Column
    who: gr.HTML
    answer: gr.Textbox
    linked: gr.HTML
    """In place of the text box, for an answer whose sentences lead to passages."""
    details: gr.HTML


@dataclass(frozen=True)
class Parts:
    """The components that a question changes."""

    left: Card
    right: Card
    third: Card
    sources: gr.HTML
    line: gr.HTML
    referral: gr.HTML
    ballot: gr.Row
    question: gr.State
    """The checked question, from the press that made it to the end of its answers; None where there is none."""
    comparison: gr.State
    """The blind comparison that waits for its vote."""
    latest: gr.State
    """The answers so far, for the line under them once they are cut; None where none are being given."""
    stop: gr.Button
    """To be pressed only while there is something to stop."""
    start: gr.Button
    """Asks; after a failure that may pass, asks again."""
    text: gr.Textbox
    after: gr.HTML
    """Below the ballot, once the vote is cast."""
    following: gr.Button
    """In the ballot's place then: asks the next test question."""
    tally: gr.State
    """The votes of this session by what they were for."""
    conversation: gr.State
    """The turns that a follow-up continues; None where there are none."""
    follow: gr.Checkbox
    """Whether the next question is a follow-up."""
    talking: gr.Row
    """What that is chosen with; there once there is something to follow."""
    history: gr.HTML
    """The turns before the question that is shown."""

    @property
    def all(self) -> list[Any]:
        """Every one of them."""
        cards = [*self.left, *self.right, *self.third]
        lines = [self.sources, self.line, self.referral, self.ballot, self.after, self.following]
        talk = [self.conversation, self.follow, self.talking, self.history]
        buttons = [self.stop, self.start]
        return [*cards, *lines, *talk, *buttons, self.question, self.comparison, self.latest, self.text, self.tally]
