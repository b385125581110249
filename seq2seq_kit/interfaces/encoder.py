"""The contract of encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from torch import nn

from seq2seq_kit.interfaces.batch import Batch
from seq2seq_kit.interfaces.memory import Memory
from seq2seq_kit.interfaces.specs import MemorySpec, TargetSpec
from seq2seq_kit.interfaces.types import Precision


class Encoder(nn.Module, ABC):
    """Reads a source. Built as ``cls(config, source: SourceSpec)``."""

    memory_spec: MemorySpec

    def attach(self, target: TargetSpec) -> None:
        """Called once when the model is built, before its decoder is, with what that will write: for an encoder with an
        output layer of its own (CTC)."""

    @abstractmethod
    def forward(self, batch: Batch) -> Memory:
        """Encode; padding must not change what comes out at real positions. In eval mode several threads may call it
        at once."""

    def native(self, precision: Precision = "fp32") -> NativeEncoder | None:
        """What computes the same without Python, for this encoder as it is now, or None: there is nothing for its
        options, its device or this precision. Used for decoding in the place of ``forward`` unless a subclass has a
        ``forward`` of its own."""
        return None


class NativeEncoder(Protocol):
    """An encoder that is not torch's operations. It holds for its weights as they are: when they change, ask ``native``
    again."""

    def encode(self, batch: Batch) -> Memory:
        """What the encoder's ``forward`` returns in eval mode, within the roundings of the precision."""
