"""T5 and T5 1.1 (Raffel et al. 2020), mT5 (Xue et al. 2021) and Flan-T5 (Chung et al. 2022)."""

from __future__ import annotations

from typing import Any

from seq2seq_kit import UserError

from .family import GATED, Config, Family, Names, activation

BUCKETS = 32
"""The buckets of distances that the kit's ``t5`` positions have."""


class T5(Family):
    """No biases, unscaled attention, norms by the root mean square; embeddings shared by encoder and decoder."""

    def __init__(self, **defaults: Any) -> None:
        self.defaults = {
            "vocab_size": 32128,
            "d_model": 512,
            "d_kv": 64,
            "d_ff": 2048,
            "num_layers": 6,
            "num_heads": 8,
            "relative_attention_num_buckets": BUCKETS,
            "relative_attention_max_distance": 128,
            "dropout_rate": 0.1,
            "layer_norm_epsilon": 1e-6,
            "feed_forward_proj": "relu",
            "tie_word_embeddings": True,
            "pad_token_id": 0,
            "eos_token_id": 1,
            "decoder_start_token_id": 0,
        } | defaults

    def model(self, config: Config) -> dict[str, Any]:
        if config["relative_attention_num_buckets"] != BUCKETS:
            found = config["relative_attention_num_buckets"]
            raise UserError(f"config.json: relative_attention_num_buckets is {found}: only {BUCKETS} are supported")
        stack = {
            "name": "transformer",
            "size": config["d_model"],
            "layers": config["num_layers"],
            "heads": config["num_heads"],
            "head_size": config["d_kv"],
            "scale_attention": False,
            "feed_forward_size": config["d_ff"],
            "activation": _activation(config),
            "bias": False,
            "norm": "rms",
            "norm_epsilon": config["layer_norm_epsilon"],
            "positions": "t5",
            "max_distance": config["relative_attention_max_distance"],
            "embedding_scale": False,
            "dropout": config["dropout_rate"],
            "attention_dropout": config["dropout_rate"],
            "activation_dropout": config["dropout_rate"],
        }
        tied = config["tie_word_embeddings"]
        decoder = stack | {"layers": _layers(config, "decoder"), "tie_embeddings": tied, "output_bias": False}
        if tied:
            decoder["output_scale"] = config["d_model"] ** -0.5
        return {"encoder": stack, "decoder": decoder, "share_embeddings": True}

    def names(self, config: Config) -> Names:
        names: Names = {"encoder.embedding.weight": ("shared.weight",)}
        for side in ("encoder", "decoder"):
            bias = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
            names |= {f"{side}.positions.buckets.bias.weight": (bias,)}
            names |= {f"{side}.norm.weight": (f"{side}.final_layer_norm.weight",)}
            for i in range(_layers(config, side)):
                names |= _layer(f"{side}.layers.{i}.", f"{side}.block.{i}.layer.", side == "decoder", _gated(config))
        if not config["tie_word_embeddings"]:
            names["decoder.output_layer.weight"] = ("lm_head.weight",)
        return names

    def tied(self, config: Config) -> list[tuple[str, ...]]:
        output = ("lm_head.weight",) if config["tie_word_embeddings"] else ()
        return [("shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", *output)]

    def is_computed(self, name: str) -> bool:
        return name == "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"  # of old files, unused


def _layers(config: Config, side: str) -> int:
    layers: int = config["num_layers"]
    return config.get("num_decoder_layers") or layers if side == "decoder" else layers


def _gated(config: Config) -> bool:
    return str(config["feed_forward_proj"]).startswith("gated-")


def _activation(config: Config) -> str:
    name = str(config["feed_forward_proj"]).removeprefix("gated-")
    if not _gated(config):
        return activation(config, "feed_forward_proj", name)
    exact = "gelu_new" if name == "gelu" else name  # so transformers reads "gated-gelu"
    return GATED[activation(config, "feed_forward_proj", exact)]


def _layer(ours: str, theirs: str, is_decoder: bool, gated: bool) -> Names:
    """The names of one layer, which begin with ``ours`` and ``theirs``."""
    looks_back = "autoregressive" if is_decoder else "self_attention"
    layers: Names = {
        f"{looks_back}.query_key_value": tuple(f"0.SelfAttention.{part}" for part in "qkv"),
        f"{looks_back}.out": ("0.SelfAttention.o",),
        f"{looks_back}_residual.norm": ("0.layer_norm",),
    }
    if is_decoder:
        for part, letter in (("query", "q"), ("key", "k"), ("value", "v"), ("out", "o")):
            layers[f"attention.{part}"] = (f"1.EncDecAttention.{letter}",)
        layers["attention_residual.norm"] = ("1.layer_norm",)
    last = 2 if is_decoder else 1
    hidden = ("wi_0", "wi_1") if gated else ("wi",)
    layers |= {
        "feed_forward.hidden": tuple(f"{last}.DenseReluDense.{name}" for name in hidden),
        "feed_forward.out": (f"{last}.DenseReluDense.wo",),
        "feed_forward_residual.norm": (f"{last}.layer_norm",),
    }
    return {f"{ours}{name}.weight": tuple(f"{theirs}{n}.weight" for n in parts) for name, parts in layers.items()}


T5_FAMILY = T5()
MT5_FAMILY = T5(
    vocab_size=250112, d_ff=1024, num_layers=8, num_heads=6, feed_forward_proj="gated-gelu", tie_word_embeddings=False
)
