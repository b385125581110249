"""SpecAugment (Park et al. 2019, "SpecAugment: a simple data augmentation method for automatic speech recognition")."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import Field

from seq2seq_kit import ComponentConfig, ConfigError, EncodedExample, Example, Task, Transform


class SpecAugmentConfig(ComponentConfig):
    """Bands of frequency and of time that are hidden; for ``data.transforms``. The defaults are the paper's policy LD,
    for 80 bands."""

    name: str = "spec_augment"
    frequency_masks: int = Field(default=2, ge=0)
    """How many bands of frequency."""
    frequency_width: int = Field(default=27, ge=0)
    """F: the most features that one of them hides."""
    time_masks: int = Field(default=2, ge=0)
    """How many stretches of time."""
    time_width: int = Field(default=100, ge=0)
    """T: the most frames that one of them hides."""
    time_share: float = Field(default=1.0, ge=0, le=1)
    """p: the most that one of them hides, as a share of the recording."""


class SpecAugment(Transform):
    """Puts 0, which is the mean of a feature, in the place of what is hidden. The width of a band is drawn evenly, from
    0 to its limit, and then its place. The paper's time warping, which gives least there, is left out.
    """

    def __init__(self, config: SpecAugmentConfig, task: Task) -> None:
        spec = getattr(task, "source_spec", None)
        if spec is None or spec.feature_size is None:
            raise ConfigError(f"data: {config.name} hides parts of frames, and the task {task.config.name!r} has none")
        self.config = config

    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> EncodedExample:
        if encoded.frames is None:
            return encoded
        c, frames = self.config, encoded.frames.copy()  # [S, F]
        for _ in range(c.frequency_masks):
            frames[:, _band(frames.shape[1], c.frequency_width, generator)] = 0
        longest = min(c.time_width, int(c.time_share * len(frames)))
        for _ in range(c.time_masks):
            frames[_band(len(frames), longest, generator)] = 0
        return replace(encoded, frames=frames)


def _band(size: int, widest: int, generator: np.random.Generator) -> slice:
    width = int(generator.integers(0, min(widest, size) + 1))
    start = int(generator.integers(0, size - width + 1))
    return slice(start, start + width)
