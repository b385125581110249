"""What attention says of where an output comes from: alignments, and words copied in place of unknown ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from seq2seq_kit.errors import UserError


@runtime_checkable
class WholeWords(Protocol):
    """A tokenizer whose tokens are whole words, so that one can be copied from a source to a target."""

    def split(self, text: str) -> list[str]:
        """The words of a text, known or not: one for each id of ``encode``."""
        ...

    def words(self, ids: Sequence[int]) -> list[str]:
        """The words of ids."""
        ...

    def join(self, words: Sequence[str]) -> str:
        """The text of words."""
        ...


class Reader(Protocol):
    """What makes text of ids, as a tokenizer does."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""
        ...

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would read it."""
        ...


def hard_alignment(attention: Tensor) -> list[int]:
    """For each target token the source position of greatest attention [T, S']; among equals, the first."""
    return [int(position) for position in attention.argmax(-1)]


def replace_unknown(
    tokens: Sequence[str],
    unknown: str,
    source: Sequence[str | None],
    attention: Tensor,
    dictionary: Mapping[str, str] | None = None,
) -> list[str]:
    """The tokens, each unknown one replaced by the source word of greatest attention (Luong et al. 2015).

    Args:
        tokens: [T] target words, ``unknown`` among them.
        source: [S'] source words, one for each position that attention is over; where there is none (None, or beyond
            them), as at an end symbol, nothing is copied.
        attention: [T or more, S'].
        dictionary: translations of source words, asked first (Jean et al. 2015).
    """
    if len(attention) < len(tokens):
        raise UserError(f"there are {len(tokens)} tokens, but the attention of {len(attention)}")
    replaced = list(tokens)
    for i, position in enumerate(hard_alignment(attention[: len(tokens)])):
        word = source[position] if position < len(source) else None
        if tokens[i] == unknown and word is not None:
            replaced[i] = (dictionary or {}).get(word, word)
    return replaced
