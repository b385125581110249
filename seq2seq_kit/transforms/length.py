"""A filter: neither side too short or too long."""

from __future__ import annotations

from pydantic import Field

from seq2seq_kit.interfaces import Task
from seq2seq_kit.transforms.sizes import SizeFilter, SizeFilterConfig


class LengthConfig(SizeFilterConfig):
    """Configuration of :class:`Length`."""

    name: str = "length"
    min: int = Field(default=1, ge=0)
    """The least that both sides must have."""
    max: int | None = Field(default=None, ge=1)
    """The most that either side may have; null: any."""


class Length(SizeFilter):
    """Leaves out examples with a side shorter than ``min`` or longer than ``max``."""

    def __init__(self, config: LengthConfig, task: Task) -> None:
        super().__init__(config, task)
        self.config = config

    def fits(self, source: int, target: int) -> bool:
        c = self.config
        return min(source, target) >= c.min and (c.max is None or max(source, target) <= c.max)
