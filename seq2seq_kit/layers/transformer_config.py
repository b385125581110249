"""What Transformer encoders and decoders are configured with. Torch-free."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seq2seq_kit.config import ComponentConfig

PositionKind = Literal["sinusoidal", "learned", "shaw", "t5", "rotary", "alibi", "none"]
ActivationKind = Literal["relu", "gelu", "gelu_tanh", "silu", "reglu", "geglu", "geglu_tanh", "swiglu"]
NormKind = Literal["layer", "rms"]


class TransformerConfig(ComponentConfig):
    """A stack of Transformer layers (Vaswani et al. 2017, "Attention is all you need")."""

    size: int = Field(default=256, ge=1)
    """H, the width of embeddings, layers and states."""
    layers: int = Field(default=3, ge=1)
    """Layers. A deep encoder with a shallow decoder decodes faster at equal quality (Kasai et al. 2021)."""
    heads: int = Field(default=4, ge=1)
    """Heads of self-attention; without a ``head_size`` they divide ``size``."""
    head_size: int | None = Field(default=None, ge=1)
    """D, the width of each head; null: ``size / heads``."""
    scale_attention: bool = True
    """Divide the scores of self-attention by √D (Vaswani et al. 2017, equation 1); T5 does not."""
    key_value_heads: int | None = Field(default=None, ge=1)
    """Heads that keys and values have, each shared by ``heads / key_value_heads`` heads of queries (grouped-query
    attention, Ainslie et al. 2023; 1: multi-query, Shazeer 2019); null: as many as ``heads``."""
    feed_forward_size: int = Field(default=1024, ge=1)
    """Width of the hidden layer of the feed-forward network."""
    activation: ActivationKind = "relu"
    """In the feed-forward network: ``relu``, ``gelu`` (Hendrycks & Gimpel 2016; ``gelu_tanh``: their approximation),
    ``silu``, or with a gate, that is with half as many weights again, ``reglu``, ``geglu``, ``geglu_tanh`` or
    ``swiglu`` (Shazeer 2020)."""
    bias: bool = True
    """Self-attention and feed-forward networks add learned biases; T5's do not."""
    norm: NormKind = "layer"
    """Layer normalisation (Ba et al. 2016), or ``rms``, by the root mean square alone (Zhang & Sennrich 2019)."""
    norm_epsilon: float | None = Field(default=None, gt=0)
    """What normalisation adds to the mean square before it takes the root; null: 1e-5 for ``layer``, 1e-6 for ``rms``.
    """
    norm_position: Literal["pre", "post"] = "pre"
    """Normalise what goes into a sublayer (pre-norm, which needs less care with warm-up: Xiong et al. 2020), or the sum
    of what goes in and comes out (post-norm, as in the first paper)."""
    final_norm: bool | None = None
    """Normalise what the last layer gives; null: with pre-norm only, after which it would be unnormalised."""
    embedding_norm: bool = False
    """Normalise what the first layer is given, positions included (BART: Lewis et al. 2020)."""
    positions: PositionKind = "sinusoidal"
    """How a token knows its place. Added to the embedding: ``sinusoidal`` (Vaswani et al. 2017), ``learned`` (Gehring
    et al. 2017). Told to self-attention: ``shaw`` (relative embeddings, Shaw et al. 2018), ``t5`` (relative biases in
    buckets, Raffel et al. 2020), ``rotary`` (Su et al. 2021), ``alibi`` (linear biases, Press et al. 2022). Or
    ``none``."""
    max_positions: int = Field(default=1024, ge=1)
    """For ``learned`` positions: the longest sequence."""
    position_offset: int = Field(default=0, ge=0)
    """For ``sinusoidal`` and ``learned`` positions: the number that the first position has; 2 in models of fairseq."""
    sinusoids: Literal["tensor2tensor", "paper"] = "tensor2tensor"
    """For ``sinusoidal`` positions: wavelengths up to 2π · 10000 (as in Tensor2Tensor and fairseq), or up to the one
    before it in their row (the formula of Vaswani et al. 2017, section 3.5, and Marian)."""
    max_distance: int | None = Field(default=None, ge=1)
    """The distance beyond which all are alike; null: 16 for ``shaw`` and 128 for ``t5``."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout on the embeddings and on what each sublayer gives (residual dropout)."""
    attention_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the weights of self-attention. Above 0 the quickest attention kernels cannot be used on a CPU."""
    activation_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout on the hidden layer of the feed-forward network."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability of blanking a whole token's embedding in training (Gal & Ghahramani 2016)."""
    layer_drop: float = Field(default=0.0, ge=0, lt=1)
    """Probability of leaving out a layer in training (LayerDrop, Fan et al. 2020)."""
    embedding_scale: bool = True
    """Multiply embeddings, which start with variance 1/H, by the root of H (Vaswani et al. 2017, section 3.4)."""
    checkpoint_activations: bool = False
    """Keep only what goes into each layer, and compute the rest again in the backward pass (Chen et al. 2016): less
    memory, about a third more time."""
