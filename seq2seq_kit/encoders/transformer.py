"""The Transformer encoder (Vaswani et al. 2017, "Attention is all you need")."""

from __future__ import annotations

from torch import Tensor, nn

from seq2seq_kit.encoders.native_transformer import NativeTransformerEncoder, pack
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Batch, Encoder, Memory, MemorySpec, Precision, SourceSpec
from seq2seq_kit.layers.dropout import Dropout, WordDropout
from seq2seq_kit.layers.embedding import ScaledEmbedding
from seq2seq_kit.layers.factors import FactorConfig, Factors
from seq2seq_kit.layers.feed_forward import FeedForward
from seq2seq_kit.layers.linear import glorot_linear
from seq2seq_kit.layers.native_transformer import KNOWN
from seq2seq_kit.layers.native_weights import NativeWeights, is_as_known
from seq2seq_kit.layers.norms import Residual, embedding_norm, final_norm
from seq2seq_kit.layers.positions import Positions, Relations
from seq2seq_kit.layers.self_attention import SelfAttention
from seq2seq_kit.layers.stack import drops_layer, run_layer
from seq2seq_kit.layers.transformer_config import TransformerConfig


class TransformerEncoderConfig(TransformerConfig):
    """A Transformer encoder."""

    name: str = "transformer"
    factors: dict[str, FactorConfig] = {}
    """Further streams of ids, one id a token, by their names in the batch's ``extras``: for tasks that give them."""


class TransformerEncoder(Encoder):
    """Layers of self-attention and feed-forward networks over embedded tokens or projected frames.

    ``final`` is empty: a recurrent decoder starts from the mean of the states. An empty source has zero states.

    Raises:
        ConfigError: sizes that do not fit each other.
    """

    def __init__(self, config: TransformerEncoderConfig, source: SourceSpec) -> None:
        super().__init__()
        self.config = config
        self.embedding: nn.Module
        self.factors: Factors | None = None
        if source.vocab_size is not None:
            scale = config.size**0.5 if config.embedding_scale else 1.0
            self.embedding = ScaledEmbedding(source.vocab_size, config.size, source.pad_id, scale)
            if config.factors:
                self.factors = Factors(config.factors, config.size, scale)
        elif source.feature_size is not None:
            self.embedding = glorot_linear(source.feature_size, config.size)
        else:
            raise ConfigError(f"encoder {config.name}: the task gives neither a source vocabulary nor a feature size")
        self.positions = Positions(config, causal=False)
        self.embedding_norm = embedding_norm(config)
        self.word_dropout = WordDropout(config.word_dropout)
        self.dropout = Dropout(config.dropout)
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.norm = final_norm(config)
        self.memory_spec = MemorySpec(config.size)
        self._native = NativeWeights(pack)

    def train(self, mode: bool = True) -> TransformerEncoder:
        if mode:
            self._native.clear()
        return super().train(mode)

    def forward(self, batch: Batch) -> Memory:
        mask = batch.source_mask  # [B, S]
        padding = ~mask.unsqueeze(-1)
        x = self._embed(batch, padding)  # [B, S, H]
        relations = self.positions.relations(mask.shape[1], x.device, mask)
        for layer in self.layers:
            if not drops_layer(self.config.layer_drop, self.training):
                x = run_layer(layer, self.config.checkpoint_activations, x, relations)
        return Memory(self.norm(x).masked_fill(padding, 0), mask)

    def native(self, precision: Precision = "fp32") -> NativeTransformerEncoder | None:
        """For this class itself: a subclass may compute otherwise, and has to offer it anew. In eval mode, on the CPU,
        in float32. Sources must be right-padded."""
        if not is_as_known(self, (*KNOWN, Factors, nn.ModuleDict, TransformerEncoder, EncoderLayer)):
            return None
        return NativeTransformerEncoder(self, self._native.of(self, precision))

    def read(self, batch: Batch) -> Tensor:
        """What stands at the real positions, one sentence after the other, before all products of matrices and without
        positions: frames [N, F], or embedded tokens [N, H], beside them the factors that have a width of their own."""
        mask = batch.source_mask
        source = batch.source[mask]
        if source.is_floating_point():
            return source
        embedded: Tensor = self.embedding(source)
        if self.factors is None:
            return embedded
        ids = {name: batch.extras[name][mask] for name in self.factors.embeddings if name in batch.extras}
        return self.factors.join(embedded, ids)

    def _embed(self, batch: Batch, padding: Tensor) -> Tensor:
        """Tokens [B, S] or frames [B, S, F] -> [B, S, H]"""
        source = batch.source
        if source.is_floating_point():
            source = source.masked_fill(padding, 0)
        embedded = self.embedding(source)
        if self.factors is not None:
            embedded = self.factors(embedded, batch.extras)
        embedded = self.word_dropout(embedded)
        return self.dropout(self.embedding_norm(self.positions.add(embedded)))  # type: ignore[no-any-return]


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network."""

    def __init__(self, config: TransformerEncoderConfig) -> None:
        super().__init__()
        self.self_attention = SelfAttention(config)
        self.self_attention_residual = Residual(config)
        self.feed_forward = FeedForward(config)
        self.feed_forward_residual = Residual(config)

    def forward(self, x: Tensor, relations: Relations) -> Tensor:
        """[B, S, H] -> [B, S, H]"""
        residual = self.self_attention_residual
        x = residual.leave(x, self.self_attention(residual.enter(x), relations))
        residual = self.feed_forward_residual
        return residual.leave(x, self.feed_forward(residual.enter(x)))
