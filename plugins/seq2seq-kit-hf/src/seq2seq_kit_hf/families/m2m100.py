"""M2M100 (Fan et al. 2021) and NLLB (NLLB Team 2022; the dense models)."""

from .bart_like import BartLike

M2M100 = BartLike(
    norms={"norm_position": "pre"},
    positions={"positions": "sinusoidal", "position_offset": 2},
    logits_bias=False,
    vocab_size=128112,
    activation_function="relu",
    attention_dropout=0.1,
    encoder_layerdrop=0.05,
    decoder_layerdrop=0.05,
    scale_embedding=True,
    decoder_start_token_id=2,
)
