"""Which word of the source each word of an output comes from, by attention."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from seq2seq_kit.decoding.copying import Reader, hard_alignment
from seq2seq_kit.errors import UserError

WordAlignment = list[tuple[int, int]]
"""(source word, target word) pairs, both counted from 0, by target word; words are what white space separates."""


def words_of(tokenizer: Reader, ids: Sequence[int]) -> list[int | None]:
    """For each id the number of the word of the decoded text that it is in; None for one without text, such as EOS."""
    found: list[int | None] = []
    for end, token in enumerate(ids, 1):
        count = len(tokenizer.decode(ids[:end]).split())
        found.append(count - 1 if count and tokenizer.decode([token]).strip() else None)
    return found


def word_alignment(source: Sequence[int | None], target: Sequence[int | None], attention: Tensor) -> WordAlignment:
    """Each target token's word with the word of the source token that it looked at most; among equals, the first.

    Args:
        source: the word of each source token, as :func:`words_of` gives them.
        target: the same for each target token.
        attention: [T or more, S'], S' the number of source tokens.

    Raises:
        UserError: the attention is over something else than the source tokens.
    """
    if attention.shape[1] != len(source):
        raise UserError(
            f"words cannot be aligned: this encoder makes {attention.shape[1]} positions of {len(source)} source tokens"
        )
    pairs = set()
    for word, position in zip(target, hard_alignment(attention[: len(target)]), strict=True):
        origin = source[position]
        if word is not None and origin is not None:
            pairs.add((word, origin))
    return [(origin, word) for word, origin in sorted(pairs)]


def pharaoh(alignment: WordAlignment) -> str:
    """The pairs in the format of Pharaoh and fast_align: ``0-0 1-2``."""
    return " ".join(f"{origin}-{word}" for origin, word in alignment)
