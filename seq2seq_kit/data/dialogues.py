"""Conversations as data files have them: a line for each answer, the lines of a conversation one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq_kit.errors import DataError

ANSWERS = ("system", "assistant", "bot")
"""Who may be the one that answers, in a turn with a ``role``."""


def one_line(turn: str) -> str:
    """A turn without line breaks, runs of white space as one space."""
    return " ".join(turn.split())


def alternating(turns: Any) -> list[str]:
    """The turns of a context, the user's and the system's in turn, the last one the user's.

    Args:
        turns: texts, which are taken to alternate; or objects with ``role`` and ``content``, of which neighbours of
            one role become one turn.

    Raises:
        DataError: it is something else, or the last turn is not the user's; the rest of a sentence that says where.
    """
    if not isinstance(turns, Sequence) or isinstance(turns, str) or not turns:
        raise DataError("its context must be a list of turns, the last one the user's")
    if all(isinstance(turn, str) for turn in turns):
        return [one_line(turn) for turn in turns]
    found: list[str] = []
    last = None
    for turn in turns:
        if not (isinstance(turn, Mapping) and isinstance(turn.get("content"), str)):
            raise DataError("its context must have texts, or objects with 'role' and 'content', for turns")
        role = turn.get("role")
        if role != "user" and role not in ANSWERS:
            raise DataError(f"a turn has the role {role!r}; there is user, {', '.join(ANSWERS)}")
        text = one_line(turn["content"])
        if last is not None and (role == "user") == (last == "user"):
            found[-1] += f" {text}"
        else:
            found.append(text)
        last = role
    if last != "user":
        raise DataError("its last turn must be the user's: that is what is answered")
    return found


class Lines:
    """Reads lines of CONVERSATION TAB PREVIOUS SYSTEM TURN TAB USER TURN TAB RESPONSE, in their order.

    The context of a response is all of its conversation before it. Where a line does not continue the one before, its
    previous system turn (which may be empty) is all that is known.
    """

    def __init__(self) -> None:
        self._conversation = ""
        self._turns: list[str] = []

    def __call__(self, line: str) -> tuple[list[str], str]:
        """The context of a line, oldest turn first, and its response.

        Raises:
            DataError: it has not four columns; the rest of a sentence that says where.
        """
        columns = [one_line(column) for column in line.split("\t")]
        if len(columns) != 4:
            raise DataError(
                f"has {len(columns)} column{'s' * (len(columns) > 1)}, must have 4: conversation, previous system turn "
                "(may be empty), user turn, response"
            )
        conversation, system, user, response = columns
        if not user:
            raise DataError("has an empty user turn")
        continues = conversation == self._conversation and self._turns and self._turns[-1] == system
        before = self._turns if continues else [system] if system else []
        context = [*before, user]
        self._conversation, self._turns = conversation, [*context, response]
        return context, response
