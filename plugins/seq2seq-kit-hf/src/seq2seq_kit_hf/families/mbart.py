"""mBART (Liu et al. 2020) and mBART-50 (Tang et al. 2020)."""

from .bart_like import BartLike

MBART = BartLike(
    norms={"norm_position": "pre", "embedding_norm": True},
    positions={"positions": "learned", "position_offset": 2},
    forced_eos_token_id=2,
)
