"""How an encoder's final state becomes a decoder's start, whatever the layers, directions and cells of the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Memory, MemorySpec, TensorDict

BridgeKind = Literal["linear", "copy", "zero"]


class Bridge(nn.Module):
    """Maps ``Memory.final`` to the start of ``layers`` recurrent layers, ``[B, layers, size]`` for each name.

    - ``linear``: a linear layer for each layer and name; tanh after it for ``h`` (Bahdanau et al. 2015), as the
      decoder's own ``h`` lies in (-1, 1), and none for ``c``.
    - ``copy``: the encoder's own state; the sizes must be equal.
    - ``zero``: zeros, with no look at the encoder.

    Layers are matched from the top, and the lowest layer of the encoder serves those it has no partner for. An LSTM's
    ``c`` that the encoder does not have comes from its ``h`` (``linear``) or is zero (``copy``). Where an encoder has
    no ``h``, the masked mean of its states stands for it.

    Args:
        kind: how; without a memory it is ``zero``.
        names: the decoder's states, ``("h",)`` or ``("h", "c")``.

    Raises:
        ConfigError: ``copy`` between unequal sizes.
    """

    def __init__(
        self, kind: BridgeKind, names: Sequence[str], layers: int, size: int, memory: MemorySpec | None
    ) -> None:
        super().__init__()
        self.kind = "zero" if memory is None else kind
        self.names, self.layers, self.size = tuple(names), layers, size
        self.sources: dict[str, str] = {}  # which entry of `final` each state is made of
        if memory is None or kind == "zero":
            return
        final = memory.final if "h" in memory.final else {"h": (1, memory.size)}
        self.from_mean = final is not memory.final
        for name in names:
            if name in final:
                self.sources[name] = name
            elif kind == "linear":
                self.sources[name] = "h"
        for source in self.sources.values():
            if kind == "copy" and final[source][1] != size:
                raise ConfigError(
                    f"bridge 'copy' needs a decoder as wide as the encoder, but the decoder has size {size} and the "
                    f"encoder's {'states have' if self.from_mean else 'final state has'} size {final[source][1]}: make "
                    "them equal, or use bridge 'linear'"
                )
        if kind == "linear":
            sizes = {name: final[source][1] for name, source in self.sources.items()}
            self.linear = nn.ModuleDict(
                {f"{name}{layer}": nn.Linear(sizes[name], size) for name in self.sources for layer in range(layers)}
            )

    def forward(self, memory: Memory | None, zeros: Tensor) -> TensorDict:
        """The start of each state.

        Args:
            zeros: [B, layers, size] of zeros: the start where there is nothing to make one of.
        """
        start = dict.fromkeys(self.names, zeros)
        if memory is None or self.kind == "zero":
            return start
        final = {"h": memory.mean().unsqueeze(1)} if self.from_mean else memory.final
        for name, source in self.sources.items():
            layers = self._match_layers(final[source])
            if self.kind == "linear":
                layers = [self.linear[f"{name}{layer}"](x) for layer, x in enumerate(layers)]
            stacked = torch.stack(layers, 1)  # [B, layers, H]
            start[name] = torch.tanh(stacked) if self.kind == "linear" and name == "h" else stacked
        return start

    def _match_layers(self, final: Tensor) -> list[Tensor]:
        """The encoder's layer for each of the decoder's: [B, layers of the encoder, H] -> layers times [B, H]."""
        surplus = final.shape[1] - self.layers
        return [final[:, max(0, surplus + layer)] for layer in range(self.layers)]
