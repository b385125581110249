"""The simpler simple recurrent unit (Kim et al. 2019, "From research to production and back: ludicrously fast neural
machine translation", section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_kit.interfaces import TensorDict
from seq2seq_kit.layers.autoregressive import Autoregressive
from seq2seq_kit.layers.linear import glorot_linear
from seq2seq_kit.layers.positions import Relations
from seq2seq_kit.layers.transformer_config import TransformerConfig


class SSRU(Autoregressive):
    """f = σ(W_f x + b), c = f ⊙ c' + (1 − f) ⊙ W x, out = ReLU(c), with c' that of the position before.

    A step takes the same time wherever it is. ``rows``: ``cell`` [B, K, H].
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.project = glorot_linear(config.size, 2 * config.size)  # what is forgotten, and what is put in its place

    def first_rows(self, like: Tensor) -> TensorDict:
        return {"cell": torch.zeros_like(like).unsqueeze(1)}

    def forward(self, x: Tensor, relations: Relations) -> Tensor:
        keep, new = self._gate(x)
        cell, cells = torch.zeros_like(x[:, 0]), []
        for k, n in zip(keep.unbind(1), new.unbind(1), strict=True):  # [B, H] each
            cell = torch.lerp(n, cell, k)
            cells.append(cell)
        return torch.relu(torch.stack(cells, 1))

    def step(
        self, x: Tensor, position: Tensor, rows: TensorDict, history: TensorDict, relations: Relations
    ) -> tuple[Tensor, TensorDict, TensorDict]:
        keep, new = self._gate(x)
        cell = torch.lerp(new, rows["cell"], keep)
        return torch.relu(cell), {"cell": cell}, {}

    def _gate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[..., H] -> the share that is kept and the new value, [..., H] each."""
        keep, new = self.project(x).to(x.dtype).chunk(2, -1)
        return torch.sigmoid(keep), new
