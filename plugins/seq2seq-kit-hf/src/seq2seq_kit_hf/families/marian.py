"""Marian's models, OPUS-MT's among them (Junczys-Dowmunt et al. 2018; Tiedemann & Thottingal 2020)."""

from .bart_like import BartLike

MARIAN = BartLike(
    norms={"norm_position": "post"},
    positions={"positions": "sinusoidal", "sinusoids": "paper"},
    vocab_size=58101,
    pad_token_id=58100,
    decoder_start_token_id=58100,
    eos_token_id=0,
    forced_eos_token_id=0,
)
