"""What a model's parts know of each other before they are built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceSpec:
    """What an encoder reads: token ids (``vocab_size``) or continuous frames (``feature_size``), one of the two."""

    vocab_size: int | None = None
    pad_id: int = 0
    feature_size: int | None = None


@dataclass(frozen=True)
class TargetSpec:
    """The vocabulary that a decoder writes, and its special ids."""

    vocab_size: int
    pad_id: int = 0
    bos_id: int = 1
    eos_id: int = 2
    unk_id: int = 3


@dataclass(frozen=True)
class MemorySpec:
    """The sizes of a :class:`Memory`, known before any is made.

    Args:
        size: H of ``Memory.states``.
        final: for each entry of ``Memory.final``, its (layers, size); empty when the encoder has no final state.
    """

    size: int
    final: Mapping[str, tuple[int, int]] = field(default_factory=dict)
