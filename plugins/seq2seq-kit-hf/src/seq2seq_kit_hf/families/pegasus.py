"""Pegasus (Zhang et al. 2020)."""

from .bart_like import BartLike

PEGASUS = BartLike(
    norms={"norm_position": "pre"},
    positions={"positions": "sinusoidal", "sinusoids": "paper"},
    decoder_start_token_id=0,
    pad_token_id=0,
    eos_token_id=1,
    forced_eos_token_id=1,
)
