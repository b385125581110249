"""Halved again and again."""

from __future__ import annotations

from pydantic import Field
from seq2seq_kit import ComponentConfig, Schedule


class FrozenScheduleConfig(ComponentConfig):
    """The options of :class:`FrozenSchedule`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    every: int = Field(default=1000, ge=1)
    """After how many steps the value is halved."""
    end: float = Field(default=0.0, ge=0, le=1)
    """The value never falls below this."""


class FrozenSchedule(Schedule):
    """max(end, 0.5^(steps done / every)) (see ``Schedule`` for the contract).

    It is a function of the step alone. One that learns from validations keeps what it learned in ``state``.
    """

    def __call__(self, step: int) -> float:
        """The value at ``step``, counted from 1."""
        return float(max(self.config.end, 0.5 ** ((step - 1) // self.config.every)))
