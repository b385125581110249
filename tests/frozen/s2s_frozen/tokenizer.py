"""Words between white space."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import Field
from seq2seq_kit import ComponentConfig, DataError, Tokenizer, UserError

SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
"""The first ids, as ``Tokenizer`` has them."""


class FrozenTokenizerConfig(ComponentConfig):
    """The options of :class:`FrozenTokenizer`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    min_frequency: int = Field(default=1, ge=1)
    """Words that are seen less often in training are unknown."""


class FrozenTokenizer(Tokenizer):
    """One token a word, the most frequent ones first (see ``Tokenizer`` for the contract)."""

    def __init__(self, config: FrozenTokenizerConfig) -> None:
        self.config = config
        self.words: list[str] = []

    def train(self, texts: Iterable[str]) -> None:
        counts = Counter(word for text in texts for word in text.split())
        if not counts:
            raise DataError("the tokenizer frozen has no text to learn from")
        kept = [word for word, count in counts.items() if count >= self.config.min_frequency]
        self._adopt(sorted(kept, key=lambda word: (-counts[word], word)))

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [[self.ids.get(word, self.unk_id) for word in text.split()] for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        dropped = (self.pad_id, self.bos_id, self.eos_id)
        return " ".join(self.words[i] for i in ids if i not in dropped)

    def tokens(self, ids: Sequence[int]) -> list[str]:
        return [self.words[i] for i in ids]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(self.words[len(SPECIAL) :], ensure_ascii=False, indent=0) + "\n", encoding="utf-8")

    def load(self, path: Path) -> None:
        try:
            self._adopt(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path}: cannot be read as the words of a tokenizer: {error}") from None

    def _adopt(self, words: list[str]) -> None:
        self.words = [*SPECIAL, *words]
        self.ids = {word: i for i, word in enumerate(self.words) if i >= len(SPECIAL)}  # specials cannot be typed
        self.vocab_size = len(self.words)
