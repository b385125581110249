"""BART (Lewis et al. 2020)."""

from .bart_like import BartLike

BART = BartLike(
    norms={"norm_position": "post", "embedding_norm": True},
    positions={"positions": "learned", "position_offset": 2},
    decoder_start_token_id=2,
    forced_eos_token_id=2,
)
