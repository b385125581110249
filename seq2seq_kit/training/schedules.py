"""Schedules: a value for each step. They multiply the learning rate, and are the teacher-forcing ratio. Torch-free.

A schedule is built as ``cls(config)`` and called with the step, counted from 1 (the first update).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

from pydantic import Field

from seq2seq_kit.config import ComponentConfig


class Schedule(ABC):
    """A function of the step alone, so that a resumed run needs nothing but the step. Built as ``cls(config)``."""

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The value at ``step``, counted from 1."""


class ConstantConfig(ComponentConfig):
    name: str = "constant"
    value: float = Field(default=1.0, ge=0)
    """The value at every step."""


class Constant(Schedule):
    """The same value at every step."""

    def __call__(self, step: int) -> float:
        return float(self.config.value)


class LinearConfig(ComponentConfig):
    name: str = "linear"
    start: float = Field(default=1.0, ge=0)
    """The value before the first step of the way."""
    end: float = Field(default=0.0, ge=0)
    """The value from step ``delay + steps`` on."""
    steps: int = Field(ge=1)
    """How many steps the way from ``start`` to ``end`` takes."""
    delay: int = Field(default=0, ge=0)
    """How many steps to stay at ``start`` before."""


class Linear(Schedule):
    """From ``start`` to ``end`` in equal parts, then ``end``."""

    def __call__(self, step: int) -> float:
        c = self.config
        done = min(max(step - c.delay, 0) / c.steps, 1.0)
        return float(c.start + (c.end - c.start) * done)


class InverseSqrtConfig(ComponentConfig):
    name: str = "inverse_sqrt"
    warmup: int = Field(default=4000, ge=1)
    """The step of the peak, where the value is 1."""


class InverseSqrt(Schedule):
    """min(step / warmup, sqrt(warmup / step)): Vaswani et al. 2017, section 5.3, scaled to a peak of 1."""

    def __call__(self, step: int) -> float:
        warmup = self.config.warmup
        return float(min(step / warmup, math.sqrt(warmup / max(step, 1))))
