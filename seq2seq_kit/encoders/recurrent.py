"""Recurrent encoders: RNN (Elman 1990), GRU (Cho et al. 2014) and LSTM (Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.encoders.native_recurrent import NativeRecurrentEncoder, pack
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Batch, Encoder, Memory, MemorySpec, Precision, SourceSpec
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.native_weights import NativeWeights, is_as_known


class RecurrentEncoderConfig(ComponentConfig):
    """A recurrent encoder."""

    embedding_size: int = Field(default=256, ge=1)
    """Width of the token embeddings (of the projected frames, for continuous input)."""
    size: int = Field(default=256, ge=1)
    """H, the width of the states; over both directions together when bidirectional."""
    layers: int = Field(default=1, ge=1)
    """Recurrent layers."""
    bidirectional: bool = False
    """Read the source in both directions, half of ``size`` each."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the embeddings and between layers."""


class RNNEncoderConfig(RecurrentEncoderConfig):
    """An Elman network."""

    name: str = "rnn"


class GRUEncoderConfig(RecurrentEncoderConfig):
    """A gated recurrent unit."""

    name: str = "gru"


class LSTMEncoderConfig(RecurrentEncoderConfig):
    """A long short-term memory."""

    name: str = "lstm"


class RecurrentEncoder(Encoder):
    """Reads the source token by token, padding left out.

    ``final`` holds ``h`` (and ``c`` for an LSTM), [B, layers, size], after the last real position, both directions side
    by side. An empty source has zero states and a zero ``final``.

    Raises:
        ConfigError: bidirectional with an odd size.
    """

    network_class: type[nn.RNN | nn.GRU | nn.LSTM]
    state_names: tuple[str, ...] = ("h",)

    def __init__(self, config: RecurrentEncoderConfig, source: SourceSpec) -> None:
        super().__init__()
        directions = 2 if config.bidirectional else 1
        if config.size % directions:
            raise ConfigError(
                f"encoder {config.name}: a bidirectional encoder halves its size between the directions, but "
                f"{config.size} is odd: use {config.size + 1} or {config.size - 1}"
            )
        self.embedding: nn.Module
        if source.vocab_size is not None:
            self.embedding = nn.Embedding(source.vocab_size, config.embedding_size, padding_idx=source.pad_id)
        elif source.feature_size is not None:
            self.embedding = nn.Linear(source.feature_size, config.embedding_size)
        else:
            raise ConfigError(f"encoder {config.name}: the task gives neither a source vocabulary nor a feature size")
        self.dropout = nn.Dropout(config.dropout)
        self.network = self.network_class(
            config.embedding_size,
            config.size // directions,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
            bidirectional=config.bidirectional,
        )
        self.memory_spec = MemorySpec(config.size, {name: (config.layers, config.size) for name in self.state_names})
        self._native = NativeWeights(pack)

    def train(self, mode: bool = True) -> RecurrentEncoder:
        if mode:
            self._native.clear()
        return super().train(mode)

    def native(self, precision: Precision = "fp32") -> NativeRecurrentEncoder | None:
        """For the built-in encoders themselves: a subclass may compute otherwise, and has to offer it anew. In eval
        mode, on the CPU, in float32. Sources must be right-padded."""
        parts = (nn.Embedding, ScaledEmbedding, nn.Linear, nn.Dropout, nn.RNN, nn.GRU, nn.LSTM)
        if not is_as_known(self, (*parts, RNNEncoder, GRUEncoder, LSTMEncoder)):
            return None
        return NativeRecurrentEncoder(self, self._native.of(self, precision))

    def forward(self, batch: Batch) -> Memory:
        mask = batch.source_mask  # [B, S]
        lengths = mask.sum(1).cpu()  # [B]; packing wants them on the CPU
        embedded = self.dropout(self.embedding(batch.source))  # [B, S, E]
        if not lengths.any():
            return self._empty(embedded, mask)
        if bool((lengths == mask.shape[1]).all()):  # nothing to leave out: the unpacked kernels are faster
            states, final = self.network(embedded)
        else:
            # Packing refuses length 0: an empty source is read as one token of padding, and blanked below.
            packed = pack_padded_sequence(embedded, lengths.clamp(min=1), batch_first=True, enforce_sorted=False)
            packed_states, final = self.network(packed)
            states, _ = pad_packed_sequence(packed_states, batch_first=True, total_length=mask.shape[1])
        finals = final if isinstance(final, tuple) else (final,)
        real = mask.any(1)[:, None, None]  # [B, 1, 1]
        return Memory(
            states.masked_fill(~mask.unsqueeze(-1), 0),
            mask,
            {n: self._join_directions(x) * real for n, x in zip(self.state_names, finals, strict=True)},
        )

    def _join_directions(self, final: Tensor) -> Tensor:
        """[layers * directions, B, size / directions] -> [B, layers, size]"""
        by_layer = final.unflatten(0, (self.network.num_layers, -1))
        return by_layer.permute(2, 0, 1, 3).flatten(2)

    def _empty(self, embedded: Tensor, mask: Tensor) -> Memory:
        """What is made of a batch without a single real position."""
        spec, count = self.memory_spec, mask.shape[0]
        final = {name: embedded.new_zeros(count, *shape) for name, shape in spec.final.items()}
        return Memory(embedded.new_zeros(count, mask.shape[1], spec.size), mask, final)


class RNNEncoder(RecurrentEncoder):
    """An Elman network with tanh."""

    network_class = nn.RNN


class GRUEncoder(RecurrentEncoder):
    """A gated recurrent unit."""

    network_class = nn.GRU


class LSTMEncoder(RecurrentEncoder):
    """A long short-term memory."""

    network_class = nn.LSTM
    state_names = ("h", "c")
