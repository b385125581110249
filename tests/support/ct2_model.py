"""A Transformer in CTranslate2's binary format, read into plain PyTorch: a trained model for tests of the search.

``variables.json`` gives the arrays of ``model.bin`` in their order. The network is pre-norm with a final norm, ReLU, 8
heads, sinusoidal positions that start at 1, and embeddings scaled by the root of their width.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from seq2seq_kit.interfaces import Batch, Decoder, DecoderOutput, DecoderState, Encoder, Memory, MemorySpec, StepOutput

HEADS = 8
BOS, EOS = 1, 2

Arrays = dict[str, Tensor]


def read_arrays(folder: Path) -> Arrays:
    """The arrays of ``model.bin`` by name: after a header, each is its name, shape, item size, count and values."""
    description = json.loads((folder / "variables.json").read_text())
    raw = (folder / "model.bin").read_bytes()
    offset = 4 + 2 + len(description["spec"]) + 1 + 4 + 4  # version; name with its length and a zero; revision; count
    arrays = {}
    for name, shape, item_size, count in description["vars"]:
        offset += 2 + len(name) + 1 + 1 + 4 * len(shape) + 1
        assert (item_size, struct.unpack_from("<I", raw, offset)[0]) == (4, count), name
        arrays[name] = torch.frombuffer(bytearray(raw[offset + 4 : offset + 4 + 4 * count]), dtype=torch.float32)
        arrays[name] = arrays[name].view(shape)
        offset += 4 + 4 * count
    return arrays


def read_vocabulary(path: Path) -> list[str]:
    """The tokens in the order of their ids; the last is the unknown word, which the file leaves out."""
    return [*path.read_text(encoding="utf-8").splitlines(), "<unk>"]


def read_model(folder: Path) -> tuple[TransformerEncoder, TransformerDecoder]:
    """The encoder and the decoder in ``folder``."""
    arrays = read_arrays(folder)
    return TransformerEncoder(arrays), TransformerDecoder(arrays)


class _Layers:
    """What encoder and decoder share; names are those of the arrays."""

    def __init__(self, arrays: Arrays, side: str) -> None:
        self.arrays, self.side = arrays, side
        parts = {name.split("/")[1] for name in arrays if name.startswith(f"{side}/layer_")}
        self.names = sorted(parts - {"layer_norm"})
        self.width = arrays[f"{side}/embeddings/weight"].shape[1]

    def linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.arrays[f"{self.side}/{name}/weight"], self.arrays[f"{self.side}/{name}/bias"])

    def norm(self, name: str, x: Tensor) -> Tensor:
        name = f"{self.side}/{name}/layer_norm" if name else f"{self.side}/layer_norm"
        return F.layer_norm(x, x.shape[-1:], self.arrays[f"{name}/gamma"], self.arrays[f"{name}/beta"])

    def embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        """Tokens [...] at positions [...], counted from 0: [..., H]."""
        embedded = self.arrays[f"{self.side}/embeddings/weight"][tokens] * math.sqrt(self.width)
        half = self.width // 2
        rates = torch.exp(torch.arange(half) * (-math.log(10000) / (half - 1)))
        angles = (positions + 1).unsqueeze(-1) * rates
        return embedded + torch.cat([angles.sin(), angles.cos()], -1)

    def feed_forward(self, name: str, x: Tensor) -> Tensor:
        inner = F.relu(self.linear(f"{name}/ffn/linear_0", self.norm(f"{name}/ffn", x)))
        return x + self.linear(f"{name}/ffn/linear_1", inner)


def _attend(query: Tensor, keys_values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Multi-head attention of ``query`` [..., Q, H] to ``keys_values`` [..., N, 2H] where ``mask`` [..., Q, N].

    Returns the context [..., Q, H] and the first head's weights [..., Q, N], which CTranslate2 shows as the attention.
    """
    keys, values = keys_values.chunk(2, -1)

    def split(x: Tensor) -> Tensor:  # [..., N, H] -> [..., heads, N, H / heads]
        return x.unflatten(-1, (HEADS, -1)).transpose(-3, -2)

    energies = split(query) @ split(keys).transpose(-1, -2) / math.sqrt(query.shape[-1] // HEADS)
    weights = energies.masked_fill(~mask.unsqueeze(-3), -math.inf).softmax(-1)  # [..., heads, Q, N]
    return (weights @ split(values)).transpose(-3, -2).flatten(-2), weights[..., 0, :, :]


class TransformerEncoder(Encoder):
    """Source ids to states."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.layers = _Layers(arrays, "encoder")
        self.memory_spec = MemorySpec(self.layers.width)

    def forward(self, batch: Batch) -> Memory:
        layers = self.layers
        x = layers.embed(batch.source, torch.arange(batch.source.shape[1]))  # [B, S, H]
        mask = batch.source_mask.unsqueeze(1)  # [B, 1, S]
        for name in layers.names:
            normed = layers.norm(f"{name}/self_attention", x)
            query, keys_values = layers.linear(f"{name}/self_attention/linear_0", normed).split(
                [layers.width, 2 * layers.width], -1
            )
            x = x + layers.linear(f"{name}/self_attention/linear_1", _attend(query, keys_values, mask)[0])
            x = layers.feed_forward(name, x)
        return Memory(layers.norm("", x), batch.source_mask)


class TransformerDecoder(Decoder):
    """Self-attention's keys and values are history, those of the memory belong to the sentence."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.layers = _Layers(arrays, "decoder")

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        assert memory is not None
        layers = self.layers
        sentences = {name: layers.linear(f"{name}/attention/linear_1", memory.states) for name in layers.names}
        history = {name: torch.zeros(batch_size, 1, 0, 2 * layers.width) for name in layers.names}
        return DecoderState(history=history, sentences=sentences | {"mask": memory.mask})

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        x = self.layers.embed(tokens, position.unsqueeze(1)).unsqueeze(2)  # [B, K, 1, H]
        length = position[0].item() + 1
        x, new_history, attention = self._run(x, state, torch.ones(1, length, dtype=torch.bool))
        return StepOutput(self.output(x, None).squeeze(2), new_history=new_history, attention=attention.squeeze(2))

    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        length = prefix.shape[1]
        x = self.layers.embed(prefix, torch.arange(length)).unsqueeze(1)  # [B, 1, T, H]
        state = self.init_state(memory, len(prefix))
        x, _, attention = self._run(x, state, torch.ones(length, length, dtype=torch.bool).tril())
        return DecoderOutput(x.squeeze(1), attention.squeeze(1))

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        return self.layers.linear("projection", hidden)

    def _run(self, x: Tensor, state: DecoderState, seen: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The layers on new positions ``x`` [B, K, T, H], which see the positions ``seen`` [T, t + T]."""
        layers, new_history = self.layers, {}
        source_mask = state.sentences["mask"][:, None, None]  # [B, 1, 1, S]
        for name in layers.names:
            fused = layers.linear(f"{name}/self_attention/linear_0", layers.norm(f"{name}/self_attention", x))
            query, new_history[name] = fused.split([layers.width, 2 * layers.width], -1)
            past = torch.cat([state.history[name], new_history[name]], 2)
            x = x + layers.linear(f"{name}/self_attention/linear_1", _attend(query, past, seen)[0])

            query = layers.linear(f"{name}/attention/linear_0", layers.norm(f"{name}/attention", x))
            context, attention = _attend(query, state.sentences[name].unsqueeze(1), source_mask)
            x = x + layers.linear(f"{name}/attention/linear_2", context)
            x = layers.feed_forward(name, x)
        return layers.norm("", x), new_history, attention
