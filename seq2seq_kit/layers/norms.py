"""Normalisation, and the residual connection that it goes with."""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_kit.layers.dropout import Dropout
from seq2seq_kit.layers.training_residual import training_residual, training_residual_serves
from seq2seq_kit.layers.transformer_config import NormKind, TransformerConfig


def make_norm(kind: NormKind, size: int, epsilon: float | None = None) -> nn.Module:
    """``layer``: Ba et al. 2016; ``rms``: Zhang & Sennrich 2019. Over the last dimension, with learned scale;
    ``epsilon``: see ``norm_epsilon`` of the configuration."""
    if kind == "layer":
        return nn.LayerNorm(size, eps=1e-5 if epsilon is None else epsilon)
    return nn.RMSNorm(size, eps=1e-6 if epsilon is None else epsilon)


class Residual(nn.Module):
    """The way around a sublayer f: pre-norm x + dropout(f(norm(x))), or post-norm norm(x + dropout(f(x))).

    It is in two calls, so that a sublayer may return more than one thing: ``y = f(residual.enter(x))`` and
    ``residual.leave(x, y)``.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm = make_norm(config.norm, config.size, config.norm_epsilon)
        self.pre = config.norm_position == "pre"
        self.dropout = Dropout(config.dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer reads: [..., H] -> [..., H]."""
        return self.norm(x) if self.pre else x  # type: ignore[no-any-return]

    def leave(self, x: Tensor, y: Tensor) -> Tensor:
        """What the sublayer's result ``y`` makes of ``x``: [..., H] each."""
        norm = None if self.pre else self.norm
        if self.training and training_residual_serves(x, y, norm):
            return training_residual(x, y, self.dropout.probability, norm)
        x = x + self.dropout(y)
        return x if self.pre else self.norm(x)  # type: ignore[no-any-return]


def final_norm(config: TransformerConfig) -> nn.Module:
    """What a stack ends with: see ``final_norm`` of the configuration."""
    wanted = config.norm_position == "pre" if config.final_norm is None else config.final_norm
    return make_norm(config.norm, config.size, config.norm_epsilon) if wanted else nn.Identity()


def embedding_norm(config: TransformerConfig) -> nn.Module:
    """What embeddings with positions go through before the first layer."""
    wanted = config.embedding_norm
    return make_norm(config.norm, config.size, config.norm_epsilon) if wanted else nn.Identity()
