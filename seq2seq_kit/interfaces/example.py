"""One example, as read and as ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Example:
    """One example as read: before any tokenizer."""

    source: str
    target: str | None = None
    references: list[str] = field(default_factory=list)  # further correct targets, for evaluation
    id: Any = None  # in training data, a JSON value
    extras: dict[str, Any] = field(default_factory=dict)  # in training data, JSON values


@dataclass
class EncodedExample:
    """One example as ids; ``target`` ends with EOS. A continuous source is ``frames``, and ``source`` is then empty."""

    source: list[int]
    target: list[int] | None = None
    id: Any = None
    extras: dict[str, Any] = field(default_factory=dict)
    frames: NDArray[np.float32] | None = field(default=None, compare=False)  # [S, F]

    @property
    def source_length(self) -> int:
        """S: tokens, or frames."""
        return len(self.source) if self.frames is None else len(self.frames)
