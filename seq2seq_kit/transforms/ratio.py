"""A filter: neither side much longer than the other."""

from __future__ import annotations

from pydantic import Field

from seq2seq_kit.interfaces import Task
from seq2seq_kit.transforms.sizes import SizeFilter, SizeFilterConfig


class RatioConfig(SizeFilterConfig):
    """Configuration of :class:`Ratio`."""

    name: str = "ratio"
    max: float = Field(default=3.0, ge=1)
    """The most that the longer side may have for each of the shorter one."""


class Ratio(SizeFilter):
    """Leaves out examples with one side more than ``max`` times as long as the other: most are misaligned."""

    def __init__(self, config: RatioConfig, task: Task) -> None:
        super().__init__(config, task)
        self.config = config

    def fits(self, source: int, target: int) -> bool:
        return max(source, target) <= self.config.max * min(source, target)
