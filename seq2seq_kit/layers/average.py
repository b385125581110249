"""Average attention (Zhang, Xiong & Su 2018, "Accelerating neural Transformer via an average attention network")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.layers.autoregressive import Autoregressive
from seq2seq_kit.layers.feed_forward import FeedForward
from seq2seq_kit.layers.linear import glorot_linear
from seq2seq_kit.layers.positions import Relations
from seq2seq_kit.layers.transformer_config import TransformerConfig


class AverageAttention(Autoregressive):
    """g = FFN(mean of x up to here), then a gate: σ(i) ⊙ x + σ(f) ⊙ g with [i; f] = W [x; g] (equations 1, 2 and 5).

    Without the feed-forward network g is the mean itself. A step takes the same time wherever it is. ``rows``: ``sum``
    [B, K, H], over the positions so far.
    """

    def __init__(self, config: TransformerConfig, feed_forward: bool = True) -> None:
        super().__init__()
        self.feed_forward = FeedForward(config) if feed_forward else nn.Identity()
        self.gates = glorot_linear(2 * config.size, 2 * config.size)

    def first_rows(self, like: Tensor) -> TensorDict:
        return {"sum": torch.zeros_like(like).unsqueeze(1)}

    def forward(self, x: Tensor, relations: Relations) -> Tensor:
        count = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=x.dtype).unsqueeze(1)  # [T, 1]
        return self._gate(x, x.cumsum(1) / count)

    def step(
        self, x: Tensor, position: Tensor, rows: TensorDict, history: TensorDict, relations: Relations
    ) -> tuple[Tensor, TensorDict, TensorDict]:
        total = rows["sum"] + x  # [B, K, H]
        return self._gate(x, total / (position + 1)[:, None, None].to(x.dtype)), {"sum": total}, {}

    def _gate(self, x: Tensor, mean: Tensor) -> Tensor:
        """[..., H] each."""
        seen = self.feed_forward(mean)
        keep, take = torch.sigmoid(self.gates(torch.cat([x, seen], -1))).chunk(2, -1)
        return keep * x + take * seen
