"""The unigram language model of subwords (Kudo 2018)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tokenizers import Tokenizer as Backend
from tokenizers import models, trainers

from seq2seq_kit.tokenizers.subword import SPACE, SubwordConfig, SubwordTokenizer

FLOOR_STEP = 1e-4
"""What the backend adds to the lowest score for each further character that has none of its own."""


class UnigramTokenizerConfig(SubwordConfig):
    """Configuration of :class:`UnigramTokenizer`."""

    name: str = "unigram"


class UnigramTokenizer(SubwordTokenizer):
    """Prunes a large set of subwords by how much each adds to the likelihood of the text; encodes by the best path.

    No subword crosses a space. Its first candidates are the substrings that are followed by different characters, so a
    word is one only if punctuation may follow it: hence no border between the two.
    """

    config: UnigramTokenizerConfig
    pieces = rf"{SPACE}?[^{SPACE}<]+|{SPACE}|<"  # "<" alone, so that no text can spell "</s>" or "<0x41>"

    def _learn(self, texts: Iterable[str]) -> Backend:
        backend = Backend(models.Unigram())
        self._prepare(backend)
        covered, _ = self._covered(backend, texts)
        trainer = trainers.UnigramTrainer(
            vocab_size=self.config.vocab_size,
            special_tokens=self._reserved(),
            unk_token="<unk>",
            show_progress=False,
        )
        backend.train_from_iterator(covered, trainer)
        return self._finished(backend, self._reproducible(json.loads(backend.to_str())["model"]["vocab"]))

    def _reproducible(self, vocabulary: list[tuple[str, float]]) -> list[tuple[str, float]]:
        """The vocabulary without what depends on the order of a hash table: last bits, ties, floor scores."""
        reserved = self._reserved()
        learnt = [(piece, round(score, 6)) for piece, score in vocabulary[len(reserved) :]]
        characters = sum(len(piece) == 1 for piece, _ in learnt)
        floor = min(score for _, score in learnt)
        # Characters that are too rare for a score of their own stand just above the floor, in a hash table's order.
        above = floor + characters * FLOOR_STEP
        learnt = [(piece, floor if len(piece) == 1 and score < above else score) for piece, score in learnt]
        return [*((piece, 0.0) for piece in reserved), *sorted(learnt, key=lambda entry: (-entry[1], entry[0]))]
