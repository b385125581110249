"""What a model may copy: each source token as a target token, words that the vocabulary lacks among them.

A target id of V or more, V being the size of the target's vocabulary, is one of the words of an example's own source
that the vocabulary lacks: V + k is the k-th of them, in the order in which the source first has them (See et al. 2017,
section 2.2). What such an id means therefore depends on the example.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from seq2seq_kit.interfaces import TensorDict, Tokenizer
from seq2seq_kit.tasks.text import padded
from seq2seq_kit.tokenizers.marked import unmarked

COPIES, OWN_WORDS = "copies", "own_words"
"""The names in ``Batch.extras`` of :func:`copy_extras`; the first also in ``EncodedExample.extras``."""
NOTHING = -1
"""At a position where there is nothing to copy: a mark, an end symbol."""


def own_words(words: Sequence[str | None], known: Container[str]) -> list[str]:
    """The different words of a source that are not known, in the order in which it first has them."""
    return list(dict.fromkeys(word for word in words if word is not None and word not in known))


def copied_words(words: Sequence[str | None], known: Mapping[str, int], first: int) -> list[int]:
    """For each position of a source the id of its word in the target; :data:`NOTHING` where there is no word.

    Args:
        known: the words of the target's vocabulary.
        first: V, the id of the source's first own word.
    """
    ids = {word: first + k for k, word in enumerate(own_words(words, known))}
    return [NOTHING if word is None else known.get(word, ids.get(word, NOTHING)) for word in words]


def copy_extras(copies: Sequence[Sequence[int]], first: int) -> TensorDict:
    """What a decoder that copies is given of a batch, padding included.

    ``copies`` [B, S] int64: for each source position the target id of what stands there, :data:`NOTHING` where there is
    nothing to copy. ``own_words`` [B, N] bool: which of the ids V to V + N - 1 are words of the sentence's own source.

    Args:
        copies: of each example.
        first: V.
    """
    counts = torch.tensor([max(0, max(ids, default=NOTHING) + 1 - first) for ids in copies])  # [B]
    ids, _ = padded([list(ids) for ids in copies], NOTHING)
    return {COPIES: ids, OWN_WORDS: torch.arange(int(counts.max())) < counts.unsqueeze(1)}


@dataclass(frozen=True)
class WithOwnWords:
    """A tokenizer of whole words that also reads the ids of one source's own words, after its entries; an id that the
    source does not have is an unknown word."""

    tokenizer: Tokenizer
    own: Sequence[str]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``; pad, BOS, EOS and marks are dropped."""
        t = self.tokenizer
        if max(ids, default=0) < t.vocab_size:
            return t.decode(ids)
        entries, dropped = unmarked(t).vocab_size, (t.pad_id, t.bos_id, t.eos_id)
        kept = [i for i in ids if i >= t.vocab_size or (i < entries and i not in dropped)]
        return str(self._whole.join(self.words(kept)))

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would read it."""
        t = self.tokenizer
        return [self._whole.join(self.words([i])) if i >= t.vocab_size else t.tokens([i])[0] for i in ids]

    def words(self, ids: Sequence[int]) -> list[str]:
        """The words of ids, as the tokenizer joins them."""
        first, unknown = self.tokenizer.vocab_size, self.tokenizer.unk_id
        return [
            self.own[i - first]
            if first <= i < first + len(self.own)
            else self._whole.words([i if i < first else unknown])[0]
            for i in ids
        ]

    @property
    def _whole(self) -> Any:
        """The tokenizer of the text alone, a :class:`seq2seq_kit.decoding.copying.WholeWords`."""
        return unmarked(self.tokenizer)
