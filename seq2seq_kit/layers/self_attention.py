"""Self-attention in several heads (Vaswani et al. 2017, section 3.2), keys and values shared by groups of heads
(Ainslie et al. 2023, "GQA: training generalized multi-query transformer models from multi-head checkpoints")."""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_kit.attention.functional import attend
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.layers.autoregressive import Autoregressive
from seq2seq_kit.layers.dropout import Dropout
from seq2seq_kit.layers.linear import glorot_linear
from seq2seq_kit.layers.positions import Relations
from seq2seq_kit.layers.relative import DistanceEmbeddings, rotate
from seq2seq_kit.layers.transformer_config import TransformerConfig


class SelfAttention(Autoregressive):
    """Queries, keys and values come from one product. ``history``: ``keys`` and ``values`` [B, K, t, groups, D].

    Raises:
        ConfigError: heads that do not divide what they are a part of.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.groups = config.key_value_heads or config.heads  # heads of keys and values
        if config.head_size is None and config.size % self.heads:
            raise ConfigError(f"{config.name}: {self.heads} heads do not divide the size {config.size}")
        if self.heads % self.groups:
            raise ConfigError(
                f"{config.name}: {self.groups} key_value_heads do not divide the {self.heads} heads that share them"
            )
        self.head_size = config.head_size or config.size // self.heads
        self.scale = self.head_size**-0.5 if config.scale_attention else 1.0
        together = (self.heads + 2 * self.groups) * self.head_size
        self.query_key_value = glorot_linear(config.size, together, bias=config.bias)
        self.out = glorot_linear(self.heads * self.head_size, config.size, bias=config.bias)
        self.dropout = Dropout(config.attention_dropout)
        shaw = config.positions == "shaw"
        self.distances = DistanceEmbeddings(self.head_size, config.max_distance or 16) if shaw else None

    def first_history(self, like: Tensor) -> TensorDict:
        empty = like.new_zeros(like.shape[0], 1, 0, self.groups, self.head_size)
        return {"keys": empty, "values": empty}

    def forward(self, x: Tensor, relations: Relations) -> Tensor:
        query, keys, values = (y.transpose(1, 2) for y in self._project(x, relations))  # [B, heads or groups, T, D]
        return self._finish(self._attend(query, keys, values, relations))

    def step(
        self, x: Tensor, position: Tensor, rows: TensorDict, history: TensorDict, relations: Relations
    ) -> tuple[Tensor, TensorDict, TensorDict]:
        query, keys, values = (y.unsqueeze(2) for y in self._project(x, relations))  # [B, K, 1, heads or groups, D]
        new = {"keys": keys, "values": values}
        keys, values = (torch.cat([history[name], new[name]], 2) for name in new)  # [B, K, t + 1, groups, D]
        query, keys, values = (y.flatten(0, 1).transpose(1, 2) for y in (query, keys, values))
        return self._finish(self._attend(query, keys, values, relations)).view_as(x), {}, new

    def _project(self, x: Tensor, relations: Relations) -> tuple[Tensor, Tensor, Tensor]:
        """[B, Q, H] -> queries [B, Q, heads, D], keys and values [B, Q, groups, D], turned to their positions."""
        projected = self.query_key_value(x).unflatten(-1, (-1, self.head_size))
        query, keys, values = projected.split([self.heads, self.groups, self.groups], -2)
        if relations.rotation is not None:
            query, keys = rotate(query, relations.rotation), rotate(keys, relations.rotation)
        return query, keys, values

    def _attend(self, query: Tensor, keys: Tensor, values: Tensor, relations: Relations) -> Tensor:
        """Query [N, heads, Q, D], keys and values [N, groups, S, D] -> contexts [N, heads, Q, D]."""
        if self.distances is None or relations.distance is None:
            return attend(query, keys, values, relations.bias, self.dropout, causal=relations.causal, scale=self.scale)
        if self.groups != self.heads:
            keys, values = (y.repeat_interleave(self.heads // self.groups, 1) for y in (keys, values))
        query = query * self.scale
        scores = query @ keys.transpose(2, 3) + self.distances.scores(query, relations.distance)
        if relations.bias is not None:
            scores = scores + relations.bias.to(scores.dtype)
        weights = self.dropout(scores.softmax(-1))
        return weights @ values + self.distances.contexts(weights, relations.distance)

    def _finish(self, contexts: Tensor) -> Tensor:
        """[N, heads, Q, D] -> [N, Q, H]"""
        return self.out(contexts.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]
