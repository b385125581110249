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
    """A function of the step and, where it wants them, of the validations so far. Built as ``cls(config)``.

    One that learns from validations keeps what it learned in :meth:`state`, so that a resumed run goes on as before.
    """

    def __init__(self, config: Any) -> None:
        self.config = config

    @abstractmethod
    def __call__(self, step: int) -> float:
        """The value at ``step``, counted from 1."""

    def on_validation(self, better: bool) -> None:  # noqa: B027 (to be overridden where wanted)
        """After each validation; ``better``: it is the best so far by ``training.validation_metric``."""

    def state(self) -> dict[str, Any]:
        """What a resumed run must be told beside the step, as JSON values; saved with every training state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Go back to what :meth:`state` gave."""


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
    """The value from step ``warmup + delay + steps`` on."""
    steps: int = Field(ge=1)
    """How many steps the way from ``start`` to ``end`` takes."""
    delay: int = Field(default=0, ge=0)
    """How many steps to stay at ``start`` before."""
    warmup: int = Field(default=0, ge=0)
    """How many steps before all that the rise from 0 to ``start`` takes."""


class Linear(Schedule):
    """From ``start`` to ``end`` in equal parts, then ``end``; after a warm-up, where one is asked for."""

    def __call__(self, step: int) -> float:
        c = self.config
        if step <= c.warmup:
            return float(c.start * step / c.warmup)
        done = min(max(step - c.warmup - c.delay, 0) / c.steps, 1.0)
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


class NoamConfig(ComponentConfig):
    name: str = "noam"
    size: int = Field(ge=1)
    """The model's width, d_model in the paper."""
    warmup: int = Field(default=4000, ge=1)
    """The step of the peak."""


class Noam(Schedule):
    """size^-0.5 · min(step^-0.5, step · warmup^-1.5): Vaswani et al. 2017, equation 3.

    It is the paper's learning rate itself, so ``learning_rate: 1`` goes with it (2 in the authors' code). Its peak is
    (size · warmup)^-0.5: 0.0007 for width 512 and 4,000 steps.
    """

    def __call__(self, step: int) -> float:
        c = self.config
        return float(c.size**-0.5 * min(max(step, 1) ** -0.5, step * c.warmup**-1.5))


class CosineConfig(ComponentConfig):
    name: str = "cosine"
    steps: int = Field(ge=1)
    """How many steps the way from 1 to ``end`` takes, after the warm-up."""
    warmup: int = Field(default=0, ge=0)
    """How many steps the rise from 0 to 1 takes."""
    end: float = Field(default=0.0, ge=0, le=1)
    """The value from step ``warmup + steps`` on."""


class Cosine(Schedule):
    """Warm-up, then end + (1 - end) · (1 + cos(π · t / steps)) / 2 at the t-th step after it, then ``end``: the cosine
    annealing of Loshchilov and Hutter 2017 (equation 5), without restarts."""

    def __call__(self, step: int) -> float:
        c = self.config
        if step <= c.warmup:
            return step / float(c.warmup)
        return _cosine(1.0, c.end, (step - c.warmup) / c.steps)


class OneCycleConfig(ComponentConfig):
    name: str = "one_cycle"
    steps: int = Field(ge=2)
    """The length of the cycle."""
    rise: float = Field(default=0.3, gt=0, lt=1)
    """The share of the steps that go up."""
    start: float = Field(default=0.04, ge=0, le=1)
    """The value at the first step."""
    end: float = Field(default=0.000004, ge=0, le=1)
    """The value from the last step of the cycle on."""


class OneCycle(Schedule):
    """Up from ``start`` to 1 at step ``rise · steps``, down to ``end`` at step ``steps``, both along half a cosine: the
    1cycle policy of Smith 2018 with the shape and the defaults of ``torch.optim.lr_scheduler.OneCycleLR``. It cycles
    the learning rate alone, not the momentum."""

    def __call__(self, step: int) -> float:
        c = self.config
        done, peak = step - 1, c.rise * c.steps - 1
        if done < peak:
            return _cosine(c.start, 1.0, done / peak)
        return _cosine(1.0, c.end, (done - peak) / (c.steps - 1 - peak))


def _cosine(start: float, end: float, done: float) -> float:
    """From ``start`` to ``end`` along half a cosine; ``done`` is the part of the way, 1 and more at its end."""
    return end + (start - end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


class PlateauConfig(ComponentConfig):
    name: str = "plateau"
    factor: float = Field(default=0.5, gt=0, lt=1)
    """What the value is multiplied by."""
    patience: int = Field(default=2, ge=1)
    """After how many validations in a row without a better one."""
    end: float = Field(default=0.0, ge=0, le=1)
    """The value never falls below this."""
    warmup: int = Field(default=0, ge=0)
    """How many steps the rise from 0 to 1 takes."""


class Plateau(Schedule):
    """Stays until ``patience`` validations in a row were no better than the best before them; is then multiplied by
    ``factor``, and counts anew. Use a ``training.patience`` larger than this one, or the run ends first."""

    def __init__(self, config: PlateauConfig) -> None:
        super().__init__(config)
        self._value = 1.0
        self._waited = 0

    def __call__(self, step: int) -> float:
        warmup = self.config.warmup
        return self._value * (min(step / warmup, 1.0) if warmup else 1.0)

    def on_validation(self, better: bool) -> None:
        self._waited = 0 if better else self._waited + 1
        if self._waited == self.config.patience:
            self._value = max(self._value * self.config.factor, self.config.end)
            self._waited = 0

    def state(self) -> dict[str, Any]:
        return {"value": self._value, "waited": self._waited}

    def restore(self, state: dict[str, Any]) -> None:
        self._value, self._waited = state["value"], state["waited"]


class ExponentialConfig(ComponentConfig):
    name: str = "exponential"
    decay: float = Field(gt=0, le=1)
    """k: what the value is multiplied by at each step; 0.9999 leaves a half after 6,931 steps."""
    end: float = Field(default=0.0, ge=0)
    """The value does not fall below this."""


class Exponential(Schedule):
    """max(end, decay^step): for teacher forcing, the exponential decay of Bengio et al. 2015, section 2.4."""

    def __call__(self, step: int) -> float:
        return float(max(self.config.end, self.config.decay**step))


class InverseSigmoidConfig(ComponentConfig):
    name: str = "inverse_sigmoid"
    k: float = Field(ge=1)
    """How slow the fall is: the value is a half at step k ln k (k = 1,000: step 6,908)."""
    end: float = Field(default=0.0, ge=0)
    """The value does not fall below this."""


class InverseSigmoid(Schedule):
    """max(end, k / (k + exp(step / k))): for teacher forcing, the inverse sigmoid decay of Bengio et al. 2015,
    section 2.4. It starts at k / (k + 1), falls slowly, then fast, then slowly."""

    def __call__(self, step: int) -> float:
        k = self.config.k
        odds = math.exp(min(step / k - math.log(k), 700.0))  # e**709 is the largest double
        return float(max(self.config.end, 1 / (1 + odds)))
