"""The rival's model: an LSTM decoder with Luong's attention as a tutorial writes it, of torch's own modules.

The weights are those of one of our decoders, and so is the form of its state, so that the plain loop drives either.
Nothing is laid out anew for the kernels, as our own step does: what ``nn.LSTM`` and ``nn.Linear`` give.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, Memory, StepOutput


class PlainLSTM:
    """``init_state`` and ``step`` of a decoder ``lstm`` with attention ``luong`` (general), without input feeding."""

    def __init__(self, decoder: Any) -> None:
        self.decoder = decoder
        self.network = decoder.network.eval()

    def init_state(self, memory: Memory, batch_size: int) -> DecoderState:
        """As our decoder has it: keys are projected once."""
        return self.decoder.init_state(memory, batch_size)

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        """[B, K] -> scores [B, K, V]"""
        decoder, shape = self.decoder, tokens.shape
        x = F.embedding(tokens.flatten(), decoder.embedding.weight).unsqueeze(1)  # [B * K, 1, E]
        past = tuple(state.rows[name].flatten(0, 1).transpose(0, 1).contiguous() for name in ("h", "c"))
        top, new = self.network(x, past)
        top = top.view(*shape, -1)  # [B, K, H]
        keys, values, mask = (state.sentences[f"attention.{name}"] for name in ("keys", "values", "mask"))
        scores = torch.bmm(top, keys.transpose(1, 2)).masked_fill(~mask.unsqueeze(1), -torch.inf)
        context = torch.bmm(scores.softmax(-1), values)
        hidden = torch.tanh(F.linear(torch.cat([context, top], -1), decoder.combine.weight))
        logits = F.linear(hidden, decoder.output_layer.weight, decoder.output_layer.bias)
        rows = {name: x.transpose(0, 1).unflatten(0, shape) for name, x in zip(("h", "c"), new, strict=True)}
        return StepOutput(logits, "logits", rows)
