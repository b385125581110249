"""The contract of decoders: their state, what a step and a teacher-forced pass return, and the decoder itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from seq2seq_kit.interfaces.memory import Memory
from seq2seq_kit.interfaces.types import Precision, ScoreKind, TensorDict

if TYPE_CHECKING:
    from seq2seq_kit._engine import NativeStep


@dataclass
class DecoderState:
    """All that a decoder carries from step to step: three flat dicts of tensors.

    The first state has K = 1 and ``history`` tensors with t = 0.
    """

    rows: TensorDict = field(default_factory=dict)  # [B, K, ...]: follow a hypothesis
    history: TensorDict = field(default_factory=dict)  # [B, K, t, ...]: grow by one position a step
    sentences: TensorDict = field(default_factory=dict)  # [B, ...]: one per source
    padded: bool = field(default=False, init=False)
    """``history`` has padding, which is zero: t is the room there is, and the past are the first ``position`` of it.
    Only a decoder that says ``takes_padding`` is shown such a state."""

    def advance(self, output: StepOutput) -> DecoderState:
        """The state after a step, for unrolling outside a search (differentiable; nothing is written in place)."""
        history = {name: torch.cat([past, output.new_history[name]], 2) for name, past in self.history.items()}
        return DecoderState(output.rows, history, self.sentences)

    def select(self, parents: Tensor) -> DecoderState:
        """The state of the hypotheses ``parents`` ([B, K'] int64, indexes into K); for unrolling outside the engine."""

        def gather(x: Tensor) -> Tensor:  # [B, K, ...] -> [B, K', ...]
            return x[torch.arange(x.shape[0], device=x.device).unsqueeze(1), parents]

        rows = {name: gather(x) for name, x in self.rows.items()}
        history = {name: gather(x) for name, x in self.history.items()}
        return DecoderState(rows, history, self.sentences)


@dataclass
class StepOutput:
    """What one time step returns.

    V' may exceed V: ids >= V are the source's own words (copying); -inf where a sentence has fewer than its batch.
    """

    scores: Tensor  # [B, K, V']
    kind: ScoreKind = "logits"
    rows: TensorDict = field(default_factory=dict)  # [B, K, ...], same names and shapes as in the state
    new_history: TensorDict = field(default_factory=dict)  # [B, K, 1, ...]: only the new slice
    attention: Tensor | None = None  # [B, K, S']


@dataclass
class DecoderOutput:
    """What teacher forcing returns. ``losses`` are a decoder's own, already summed over real positions."""

    hidden: Tensor  # [B, T, H]
    attention: Tensor | None = None  # [B, T, S']
    losses: TensorDict = field(default_factory=dict)  # scalars


class Decoder(nn.Module, ABC):
    """Writes a target. Built as ``cls(config, target: TargetSpec, memory: MemorySpec | None)``.

    ``forward`` followed by ``output`` is the same function as T calls of ``step`` in eval mode. Reordering, growing and
    shrinking state is the engine's work, never the decoder's. ``init_state`` and ``step`` are differentiable and write
    nothing in place. A language model is a decoder that accepts ``memory=None``. One that scores words of the source's
    own (ids of V and more) is fed them too, and reads them as unknown.
    """

    score_kind: ScoreKind = "logits"
    output_reads_memory: bool = True
    """False: ``output`` depends on ``hidden`` alone, so that a criterion may give it any selection of positions, N of
    them as [1, N, H], and no memory."""
    attention_wanted: bool = True
    """Set to False on an instance whose attention nobody reads: ``forward`` and ``step`` may then leave it out."""
    copies: bool = False
    """True: it scores the source's own words, as a task says that copies (see ``Task.copies``)."""
    parallel: bool = False
    """True: ``forward`` computes all positions side by side, as a Transformer does. Scheduled sampling then takes two
    passes in the place of T steps."""
    takes_padding: bool = False
    """True: ``step`` knows ``DecoderState.padded``. On an accelerator all steps then have the same shapes, and are
    recorded once. What a class says here holds for its own ``step``, not for one that overrides it."""
    compiled: NativeDecoder | None = None
    """What ``s2s compile`` made of this instance's ``step``, where the user asked for it: used before ``native``."""

    @abstractmethod
    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        """The state before the first step: K = 1, no history. What depends on the source alone is computed here."""

    @abstractmethod
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        """One time step for all hypotheses: ``tokens`` [B, K] int64 and ``position`` [B] int64 (0 for BOS)."""

    @abstractmethod
    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        """Teacher forcing: all positions of ``prefix`` [B, T] (BOS first) at once."""

    @abstractmethod
    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        """Scores [B, T, V'] (of ``score_kind``) from ``hidden`` [B, T, H]; apart, so that a criterion can chunk it."""

    def native(self, precision: Precision = "fp32") -> NativeDecoder | None:
        """The engine's own stepper for this decoder as it is now, or None: there is none for its options, its device or
        this precision. Used in the place of ``init_state`` and ``step`` unless a subclass has a ``step`` of its own."""
        return None


class NativeDecoder(Protocol):
    """A decoder that the engine runs without Python. It holds for its weights as they are: when they change, ask
    ``native`` again."""

    def begin(self, memory: Memory | None, batch_size: int) -> NativeStep:
        """The step of one batch, to be searched in the place of a Python one."""
