"""Words and punctuation marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field
from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from seq2seq_kit.tokenizers.base import SPECIALS, BackedTokenizer, TokenizerConfig
from seq2seq_kit.tokenizers.char import word_level_trainer

JOINER = "￭"
"""On a punctuation mark: there is no space on this side (the joiner of OpenNMT's Tokenizer)."""
_MARKS = [
    normalizers.Replace(JOINER, ""),
    normalizers.Replace(Regex(r"(?<=\S)(?=[^\w\s])"), f" {JOINER}"),
    normalizers.Replace(Regex(rf"(?<=[^\w\s{JOINER}])(?=\w)"), f"{JOINER} "),
]
"""Sets punctuation marks apart."""


class WordTokenizerConfig(TokenizerConfig):
    """Configuration of :class:`WordTokenizer`."""

    name: str = "word"
    vocab_size: int | None = Field(default=None, gt=len(SPECIALS))
    """Keep the most frequent words, so many with the four special tokens; null: all."""
    min_frequency: int = Field(default=1, ge=1)
    """Words seen less often in training are unknown."""
    split: Literal["punctuation", "whitespace"] = "punctuation"
    """Where to split: at spaces and around punctuation marks, or at white space alone, for text that is tokenized
    already (phonemes, commands such as ``I_TURN_LEFT``)."""


class WordTokenizer(BackedTokenizer):
    """Splits text at spaces and around punctuation marks, and puts it together again.

    A mark remembers on which sides it touches its neighbour, a word never does and so has one entry wherever it
    stands: ``Où est-il ?`` is ``Où est ￭-￭ il ?``, and ``l'ami`` is ``l ￭'￭ ami``. Decoding gives the text back but for
    its white space: runs of it, and no-break spaces, become one space. With ``split: whitespace`` marks are part of
    the words that they touch.
    """

    config: WordTokenizerConfig

    @property
    def _marks(self) -> bool:
        """Are punctuation marks tokens of their own?"""
        return self.config.split == "punctuation"

    def _learn(self, texts: Iterable[str]) -> Backend:
        backend = Backend(models.WordLevel({}, unk_token="<unk>"))
        backend.normalizer = normalizers.Sequence(
            [
                *([normalizers.Lowercase()] if self.config.lowercase else []),
                normalizers.NFC(),
                *(_MARKS if self._marks else []),
            ]
        )
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        backend.train_from_iterator(texts, word_level_trainer(self.config.vocab_size, self.config.min_frequency))
        return backend

    def _join(self, tokens: list[str]) -> str:
        text = " ".join(tokens)
        if not self._marks:
            return text
        return text.replace(f" {JOINER}", "").replace(f"{JOINER} ", "").replace(JOINER, "")

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each word or mark, without its joiners."""
        tokens = super().tokens(ids)
        return [token.replace(JOINER, "") for token in tokens] if self._marks else tokens

    def split(self, text: str) -> list[str]:
        """The words and marks of ``text``, joiners and all, known or not: one for each id of ``encode``."""
        backend = self._trained()
        return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(backend.normalizer.normalize_str(text))]

    def words(self, ids: Sequence[int]) -> list[str]:
        """The words and marks of ``ids``, joiners and all."""
        return super().tokens(ids)

    def join(self, words: Sequence[str]) -> str:
        """The text of words and marks as :meth:`split` and :meth:`words` give them."""
        return self._join(list(words))
