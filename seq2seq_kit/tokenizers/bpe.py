"""Byte-pair encoding (Sennrich et al. 2016)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from pydantic import Field
from tokenizers import Tokenizer as Backend
from tokenizers import models, trainers

from seq2seq_kit.tokenizers.merges import Merges
from seq2seq_kit.tokenizers.subword import SPACE, SubwordConfig, SubwordTokenizer


class BPETokenizerConfig(SubwordConfig):
    """Configuration of :class:`BPETokenizer`."""

    name: str = "bpe"
    min_frequency: int = Field(default=2, ge=1)
    """Pairs seen less often in training are not merged."""


class BPETokenizer(SubwordTokenizer):
    """Merges the most frequent pair of neighbours, again and again, from characters up; ties in the order of ids.

    No subword crosses a space, or the border between letters and punctuation.
    """

    config: BPETokenizerConfig
    pieces = rf"{SPACE}?\w+|{SPACE}?[^\w{SPACE}]+|{SPACE}"

    def __init__(self, config: BPETokenizerConfig) -> None:
        super().__init__(config)
        self._merges: Merges | None = None  # made when first needed
        self._sampled: tuple[float, np.random.Generator] | None = None

    def _learn(self, texts: Iterable[str]) -> Backend:
        backend = Backend(models.BPE(unk_token="<unk>"))
        self._prepare(backend)
        covered, characters = self._covered(backend, texts)
        trainer = trainers.BpeTrainer(
            vocab_size=self.config.vocab_size,
            min_frequency=self.config.min_frequency,
            special_tokens=self._reserved(),
            initial_alphabet=characters,
            show_progress=False,
        )
        backend.train_from_iterator(covered, trainer)
        return self._finished(backend, json.loads(backend.to_str())["model"]["vocab"])

    @contextmanager
    def sampling(self, rate: float, generator: np.random.Generator) -> Iterator[None]:
        """BPE-dropout (Provilkov et al. 2020): each merge is passed over with probability ``rate``."""
        self._sampled = rate, generator
        try:
            yield
        finally:
            self._sampled = None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without BOS and EOS; an empty text has none."""
        if self._sampled is None:
            return super().encode(texts)
        if self._merges is None:
            self._merges = Merges(self._trained())
        return [self._merges.sample(text, *self._sampled) for text in texts]

    def _adopt(self, backend: Backend) -> None:
        super()._adopt(backend)
        self._merges = None
