"""What BART and the models whose code descends from it have in common, which is all but norms and positions."""

from __future__ import annotations

from typing import Any

from .family import LOGITS_BIAS, Config, Family, Names, activation, both

SECTION = {
    "size": "d_model",
    "layers": "{side}_layers",
    "heads": "{side}_attention_heads",
    "feed_forward_size": "{side}_ffn_dim",
    "layer_drop": "{side}_layerdrop",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation_dropout": "activation_dropout",
    "embedding_scale": "scale_embedding",
}
"""A field of the kit's sections, and of ``config.json``."""

DEFAULTS: dict[str, Any] = {
    "vocab_size": 50265,
    "d_model": 1024,
    "activation_function": "gelu",
    "max_position_embeddings": 1024,
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "scale_embedding": False,
    "tie_word_embeddings": True,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    **{f"{side}_layers": 12 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 16 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 4096 for side in ("encoder", "decoder")},
    **{f"{side}_layerdrop": 0.0 for side in ("encoder", "decoder")},
}


class BartLike(Family):
    """A Transformer with BART's names for everything.

    Args:
        norms: the fields of norms, ``norm_position`` and others, where they are not the kit's defaults.
        positions: the fields of positions.
        logits_bias: whether there is a bias of the output.
        defaults: where they are not :data:`DEFAULTS`.
    """

    def __init__(
        self, norms: dict[str, Any], positions: dict[str, Any], logits_bias: bool = True, **defaults: Any
    ) -> None:
        self.norms, self.positions, self.logits_bias = norms, positions, logits_bias
        self.defaults = DEFAULTS | defaults

    def model(self, config: Config) -> dict[str, Any]:
        sides = {side: self._section(config, side) for side in ("encoder", "decoder")}
        sides["decoder"] |= {"tie_embeddings": config["tie_word_embeddings"], "output_bias": self.logits_bias}
        return {**sides, "share_embeddings": _shared(config)}

    def _section(self, config: Config, side: str) -> dict[str, Any]:
        section: dict[str, Any] = {"name": "transformer"}
        section |= {ours: config[theirs.format(side=side)] for ours, theirs in SECTION.items()}
        section["activation"] = activation(config, "activation_function", config["activation_function"])
        section |= self.norms | self.positions
        if self.positions["positions"] == "learned":
            section["max_positions"] = config["max_position_embeddings"]
        return section

    def names(self, config: Config) -> Names:
        names: Names = {}
        for side in ("encoder", "decoder"):
            names |= {f"{side}.embedding.weight": (f"model.{side}.embed_tokens.weight",)}
            if self.positions["positions"] == "learned":
                names[f"{side}.positions.embedding.weight"] = (f"model.{side}.embed_positions.weight",)
            if self.norms.get("embedding_norm"):
                names |= both(f"{side}.embedding_norm", f"model.{side}.layernorm_embedding")
            if self.norms["norm_position"] == "pre":
                names |= both(f"{side}.norm", f"model.{side}.layer_norm")
            for i in range(config[f"{side}_layers"]):
                names |= _layer(f"{side}.layers.{i}.", f"model.{side}.layers.{i}.", side == "decoder")
        if _shared(config):
            names["encoder.embedding.weight"] = ("model.shared.weight",)
            del names["decoder.embedding.weight"]
        tied = config["tie_word_embeddings"]
        if not tied:
            names["decoder.output_layer.weight"] = ("lm_head.weight",)
        if self.logits_bias:
            names["decoder.output_bias" if tied else "decoder.output_layer.bias"] = (LOGITS_BIAS,)
        return names

    def tied(self, config: Config) -> list[tuple[str, ...]]:
        output = ("lm_head.weight",) if config["tie_word_embeddings"] else ()
        encoder, decoder = (f"model.{side}.embed_tokens.weight" for side in ("encoder", "decoder"))
        if _shared(config):
            return [("model.shared.weight", encoder, decoder, *output)]
        return [(decoder, *output)]

    def is_computed(self, name: str) -> bool:
        sinusoids = self.positions["positions"] == "sinusoidal"
        return sinusoids and name.endswith(("embed_positions.weight", "embed_positions.weights"))


def _shared(config: Config) -> bool:
    return bool(config.get("share_encoder_decoder_embeddings", True))


def _layer(ours: str, theirs: str, is_decoder: bool) -> Names:
    """The names of one layer, which begin with ``ours`` and ``theirs``."""
    looks_back = "autoregressive" if is_decoder else "self_attention"
    names = both(f"{ours}{looks_back}.query_key_value", *(f"{theirs}self_attn.{part}_proj" for part in "qkv"))
    names |= both(f"{ours}{looks_back}.out", f"{theirs}self_attn.out_proj")
    names |= both(f"{ours}{looks_back}_residual.norm", f"{theirs}self_attn_layer_norm")
    if is_decoder:
        for part, projection in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj"), ("out", "out_proj")):
            names |= both(f"{ours}attention.{part}", f"{theirs}encoder_attn.{projection}")
        names |= both(f"{ours}attention_residual.norm", f"{theirs}encoder_attn_layer_norm")
    names |= both(f"{ours}feed_forward.hidden", f"{theirs}fc1") | both(f"{ours}feed_forward.out", f"{theirs}fc2")
    return names | both(f"{ours}feed_forward_residual.norm", f"{theirs}final_layer_norm")
