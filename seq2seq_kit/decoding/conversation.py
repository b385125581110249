"""A conversation with a run: turns, and answers that come word by word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seq2seq_kit.decoding.pipeline import Pipeline


class Conversation:
    """Keeps what was said, and asks a run for the next answer.

    Args:
        pipeline: a run whose task converses (``Task.conversation``).
        options: fields of :class:`SearchOptions` that differ from the run's.

    Attributes:
        turns: what was said, oldest first, the user's turns and the answers in turn.
        options: how answers are searched; may be replaced between turns.
    """

    def __init__(self, pipeline: Pipeline, **options: Any) -> None:
        pipeline.task.conversation(["?"])  # a task that does not converse says so here
        self.pipeline = pipeline
        self.turns: list[str] = []
        self.options = pipeline.options(**options)

    def say(self, text: str) -> Iterator[str]:
        """The answer to ``text``, in pieces as they are settled. Only an answer that came to its end is kept, and
        ``text`` with it: a conversation never ends with a turn that has no answer."""
        example = self.pipeline.task.conversation([*self.turns, text])
        pieces = []
        for piece in self.pipeline.stream_example(example, self.options, place=len(self.turns)):
            pieces.append(piece)
            yield piece
        self.turns += [text, "".join(pieces)]

    def undo(self) -> str | None:
        """Take the last turn and its answer back; the turn, or None where there is none."""
        if not self.turns:
            return None
        text = self.turns[-2]
        del self.turns[-2:]
        return text

    def reset(self) -> None:
        """Forget all that was said."""
        self.turns.clear()
