"""The contract of processors, which change scores in a search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from torch import Tensor

from seq2seq_kit.interfaces.decoder import DecoderState
from seq2seq_kit.interfaces.memory import Memory
from seq2seq_kit.interfaces.types import TensorDict


@dataclass
class ProcessorOutput:
    """What a processor gives back: new scores for all, or values to be added to some (minus infinity bars a token)."""

    scores: Tensor | None = None  # [B, K, V]: the dense answer
    rows: Tensor | None = None  # [N] int64: the sparse answer: row b * K + k,
    tokens: Tensor | None = None  # [N] int64: token,
    values: Tensor | None = None  # [N]: and what is added there
    state: TensorDict = field(default_factory=dict)  # [B, K, ...]: the new rows, same names and shapes as in the state


class Processor(ABC):
    """Changes the scores of the next token in a search. Built as ``cls(config, target: TargetSpec)``.

    Called once a time step for the whole batch, after the built-in options. Its state is selected by the engine like a
    decoder's: ``rows`` follow a hypothesis, ``sentences`` belong to the source; there is no history.
    """

    needs_scores: bool = True
    """False: ``apply`` is given None for the scores, and answers sparsely."""

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        """The state before the first step, K = 1."""
        return DecoderState()

    @abstractmethod
    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        """``scores`` [B, K, V] float32 (log-probabilities; logits where the semantics says so) and ``tokens``
        [B, K, 1 + t] int64, BOS first. A Tensor is new scores; a slot without a hypothesis repeats another one's."""
