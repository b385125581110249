"""One token a character."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from seq2seq_kit.tokenizers.base import SPECIALS, BackedTokenizer, TokenizerConfig

SPACE = "▁"
"""How a space is shown where tokens are listed."""


class CharTokenizerConfig(TokenizerConfig):
    """Configuration of :class:`CharTokenizer`."""

    name: str = "char"
    vocab_size: int | None = Field(default=None, gt=len(SPECIALS))
    """Keep the most frequent characters, so many with the four special tokens; null: all."""
    min_frequency: int = Field(default=1, ge=1)
    """Characters seen less often in training are unknown."""


class CharTokenizer(BackedTokenizer):
    """Splits text into characters (Unicode code points), spaces among them; nothing is lost."""

    config: CharTokenizerConfig

    def _learn(self, texts: Iterable[str]) -> Backend:
        backend = Backend(models.WordLevel({}, unk_token="<unk>"))
        backend.normalizer = normalizers.Sequence(
            [*([normalizers.Lowercase()] if self.config.lowercase else []), normalizers.NFC()]
        )
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        backend.train_from_iterator(texts, word_level_trainer(self.config.vocab_size, self.config.min_frequency))
        return backend

    def _join(self, tokens: list[str]) -> str:
        return "".join(tokens)

    def tokens(self, ids: list[int]) -> list[str]:  # type: ignore[override]
        """Each character; a space is shown as ``▁``."""
        return [SPACE if token == " " else token for token in super().tokens(ids)]


def word_level_trainer(vocab_size: int | None, min_frequency: int) -> trainers.WordLevelTrainer:
    """Counts tokens; more frequent ones come first, ties in alphabetical order."""
    return trainers.WordLevelTrainer(
        vocab_size=vocab_size or 2**31, min_frequency=min_frequency, special_tokens=SPECIALS, show_progress=False
    )
