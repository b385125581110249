"""Factored input: further streams of ids beside the tokens, such as parts of speech (Sennrich & Haddow 2016,
"Linguistic input features improve neural machine translation")."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from seq2seq_kit.config import Config
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.linear import glorot_linear


class FactorConfig(Config):
    """One stream of ids."""

    vocab_size: int = Field(ge=1)
    """How many ids there are; 0 is padding."""
    size: int | None = Field(default=None, ge=1)
    """Width of its embeddings, which are then put beside the token's and all projected to its width; null: they are as
    wide as the token's, and added to it."""


class Factors(nn.Module):
    """Joins the embeddings of factors, by name ``batch.extras[name]`` [B, S] int64, with those of the tokens."""

    def __init__(self, factors: dict[str, FactorConfig], size: int, scale: float) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {name: ScaledEmbedding(f.vocab_size, f.size or size, 0, scale) for name, f in factors.items()}
        )
        self.beside = [name for name, f in factors.items() if f.size is not None]
        width = size + sum(factors[name].size or 0 for name in self.beside)
        self.project = glorot_linear(width, size) if self.beside else None

    def forward(self, embedded: Tensor, extras: TensorDict) -> Tensor:
        """The tokens' embeddings [B, S, H] and the ids -> [B, S, H]; see :meth:`join`."""
        joined = self.join(embedded, extras)
        return joined if self.project is None else self.project(joined)  # type: ignore[no-any-return]

    def join(self, embedded: Tensor, extras: TensorDict) -> Tensor:
        """The tokens' embeddings [..., H] and the ids -> [..., width], before they are projected to H.

        Raises:
            UserError: a factor is not in ``extras``, or has an id beyond its vocabulary (noticed on a CPU).
        """
        beside = [embedded]
        for name, embedding in self.embeddings.items():
            if name not in extras:
                there_is = ", ".join(extras) or "none"
                raise UserError(f"the encoder reads a factor {name!r}, and the task gives no such extras ({there_is})")
            try:
                factor = embedding(extras[name])
            except IndexError:
                raise UserError(f"factor {name!r} has the id {int(extras[name].max())}: raise its vocab_size") from None
            if name in self.beside:
                beside.append(factor)
            else:
                beside[0] = beside[0] + factor
        return torch.cat(beside, -1) if self.project is not None else beside[0]
