"""A minimal gated unit (Zhou et al. 2016, https://arxiv.org/abs/1603.09420) that attends to the source, with its step
in Python, for training, and in C++ (``csrc/step.cpp``), for decoding."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit import (
    ComponentConfig,
    ConfigError,
    Decoder,
    DecoderOutput,
    DecoderState,
    Memory,
    MemorySpec,
    OperatorDecoder,
    StepOutput,
    TargetSpec,
    UserError,
)

try:
    torch.ops.load_library(Path(__file__).with_name("_step.so"))
except OSError as error:
    raise UserError(
        f"seq2seq-kit-native-example cannot be loaded beside torch {torch.__version__} ({error}): it is to be compiled "
        "against the torch that is installed (pip install --no-build-isolation --force-reinstall --no-deps "
        "seq2seq-kit-native-example)"
    ) from error


class MinimalDecoderConfig(ComponentConfig):
    """A minimal gated unit with attention."""

    name: str = "minimal"
    embedding_size: int = Field(default=256, ge=1)
    """E, the width of the embeddings."""
    size: int = Field(default=256, ge=1)
    """H, the width of the unit."""


class MinimalDecoder(Decoder):
    """``rows``: ``h`` [B, K, H]. ``sentences``: ``states`` [B, S', D], zero on padding, and ``mask`` [B, S']."""

    output_reads_memory = False

    def __init__(self, config: MinimalDecoderConfig, target: TargetSpec, memory: MemorySpec | None) -> None:
        super().__init__()
        if memory is None:
            raise ConfigError("decoder minimal: attends to a source, so it needs an encoder")
        width = config.embedding_size + config.size
        self.embedding = nn.Embedding(target.vocab_size, config.embedding_size, padding_idx=target.pad_id)
        self.start = nn.Linear(memory.size, config.size)
        self.forget = nn.Linear(width, config.size)
        self.new = nn.Linear(width, config.size)
        self.query = nn.Linear(config.size, memory.size, bias=False)
        self.out = nn.Linear(config.size + memory.size, target.vocab_size)

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        if memory is None:
            raise UserError("decoder minimal attends to a source, so it cannot decode without a memory")
        states = memory.states.masked_fill(~memory.mask.unsqueeze(-1), 0)
        h = torch.tanh(self.start(memory.mean())).unsqueeze(1)  # [B, 1, H]
        return DecoderState(rows={"h": h}, sentences={"states": states, "mask": memory.mask})

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        h = self._next(self.embedding(tokens), state.rows["h"])
        hidden, attention = self._attend(h, state)
        return StepOutput(self.out(hidden), self.score_kind, {"h": h}, attention=attention)

    def native(self, precision: str = "fp32") -> OperatorDecoder | None:
        if self.training or precision != "fp32":
            return None
        parts = (self.forget.weight, self.forget.bias, self.new.weight, self.new.bias, self.query.weight)
        params = (self.embedding.weight, *parts, self.out.weight, self.out.bias)
        return OperatorDecoder("seq2seq_kit_native_example::step", self.init_state, params, self.score_kind)

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        state = self.init_state(memory, prefix.shape[0])
        h, steps = state.rows["h"], []
        for x in self.embedding(prefix).split(1, 1):  # [B, 1, E]
            h = self._next(x, h)
            steps.append(h)
        hidden, attention = self._attend(torch.cat(steps, 1), state)
        return DecoderOutput(hidden, attention)

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        scores: Tensor = self.out(hidden)
        return scores

    def _next(self, x: Tensor, h: Tensor) -> Tensor:
        forget = torch.sigmoid(self.forget(torch.cat([x, h], -1)))
        return torch.lerp(h, torch.tanh(self.new(torch.cat([x, forget * h], -1))), forget)

    def _attend(self, h: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        """[B, Q, H] -> [B, Q, H + D] and weights [B, Q, S']"""
        states, padding = state.sentences["states"], ~state.sentences["mask"].unsqueeze(1)
        scores = torch.bmm(self.query(h), states.transpose(1, 2))
        weights = scores.masked_fill(padding, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(padding, 0)
        return torch.cat([h, torch.bmm(weights, states)], -1), weights
