"""A recurrent decoder with dot-product attention."""

from __future__ import annotations

import torch
from pydantic import Field
from seq2seq_kit import (
    ComponentConfig,
    ConfigError,
    Decoder,
    DecoderOutput,
    DecoderState,
    Memory,
    MemorySpec,
    StepOutput,
    TargetSpec,
)
from torch import Tensor, nn


class FrozenDecoderConfig(ComponentConfig):
    """The options of :class:`FrozenDecoder`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    size: int = Field(default=64, ge=1)
    """Width of embeddings and of the recurrent state."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """The share of embedded features that are not seen in training."""


class FrozenDecoder(Decoder):
    """h = GRU(token, h), then a lookup with h (see ``Decoder`` for the contract).

    ``rows``: ``h``, which follows a hypothesis. ``sentences``: keys, values and mask, one for each source. The engine
    reorders all of it; nothing may be kept on ``self``.
    """

    output_reads_memory = False

    def __init__(self, config: FrozenDecoderConfig, target: TargetSpec, memory: MemorySpec | None) -> None:
        super().__init__()
        if memory is None:
            raise ConfigError("decoder frozen needs an encoder")
        self.size = config.size
        self.embedding = nn.Embedding(target.vocab_size, config.size, padding_idx=target.pad_id)
        self.dropout = nn.Dropout(config.dropout)
        self.cell = nn.GRUCell(config.size, config.size)
        self.start = nn.Linear(memory.size, config.size)
        self.key = nn.Linear(memory.size, config.size)
        self.combine = nn.Linear(config.size + memory.size, config.size)
        self.out = nn.Linear(config.size, target.vocab_size)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        """K = 1: the first state of each sentence."""
        assert memory is not None
        values = memory.states.masked_fill(~memory.mask.unsqueeze(2), 0)  # [B, S', H]
        h = torch.tanh(self.start(memory.mean())).unsqueeze(1)  # [B, 1, H]
        return DecoderState({"h": h}, sentences={"keys": self.key(values), "values": values, "mask": memory.mask})

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        """Scores [B, K, V] of the next token after ``tokens`` [B, K]."""
        embedded = self.dropout(self.embedding(tokens))  # [B, K, H]
        h = self._recur(embedded.flatten(0, 1), state.rows["h"].flatten(0, 1)).unflatten(0, tokens.shape)
        hidden, weights = self._look(h, state.sentences)
        return StepOutput(self.out(hidden), rows={"h": h}, attention=weights)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        """All positions of ``prefix`` [B, T]: the same function as T steps."""
        state = self.init_state(memory, prefix.shape[0])
        embedded, h, states = self.dropout(self.embedding(prefix)), state.rows["h"].squeeze(1), []
        for t in range(prefix.shape[1]):
            h = self._recur(embedded[:, t], h)
            states.append(h)
        hidden, weights = self._look(torch.stack(states, 1), state.sentences)
        return DecoderOutput(hidden, weights)

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        scores: Tensor = self.out(hidden)
        return scores

    def _recur(self, embedded: Tensor, h: Tensor) -> Tensor:
        """[N, H], [N, H] -> [N, H]"""
        after: Tensor = self.cell(embedded, h)
        return after

    def _look(self, h: Tensor, source: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What is seen from ``h`` [B, Q, H]: [B, Q, H], and where it is, [B, Q, S']."""
        scores = h @ source["keys"].transpose(1, 2)
        padding = ~source["mask"].unsqueeze(1)
        lowest = torch.finfo(scores.dtype).min  # not -inf: a source without any token would give NaN
        weights = scores.masked_fill(padding, lowest).softmax(-1).masked_fill(padding, 0)
        return torch.tanh(self.combine(torch.cat([h, weights @ source["values"]], -1))), weights
