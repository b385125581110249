"""BPE with merges left out at random (BPE-dropout, Provilkov et al. 2020).

The library has it too, but draws from a generator that cannot be seeded, and a run must be the same when it is resumed.
"""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
from tokenizers import Tokenizer as Backend

_BLOCK = 256
"""Random numbers drawn at a time: one by one they would take longer than the merges."""


class Merges:
    """The merges of a trained BPE backend."""

    def __init__(self, backend: Backend) -> None:
        model = json.loads(backend.to_str())["model"]
        pairs = (tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"])
        self._rank: dict[tuple[str, ...], int] = {pair: rank for rank, pair in enumerate(pairs)}
        self._ids: dict[str, int] = model["vocab"]
        self._unknown = self._ids[model["unk_token"]]
        self._bytes: bool = model["byte_fallback"]
        self._backend = backend

    def sample(self, text: str, rate: float, generator: np.random.Generator) -> list[int]:
        """Ids of ``text``. Before each merge, every possible one is passed over with probability ``rate``: 0 gives the
        usual segmentation, 1 would give characters."""
        draws: list[float] = []

        def passed_over() -> bool:
            if not draws:
                draws.extend(generator.random(_BLOCK).tolist())
            return draws.pop() < rate

        ids: list[int] = []
        for piece, _ in self._backend.pre_tokenizer.pre_tokenize_str(self._backend.normalizer.normalize_str(text)):
            symbols = list(piece)
            while len(symbols) > 1:
                ranked = ((self._rank.get(pair), place) for place, pair in enumerate(pairwise(symbols)))
                possible = [(rank, place) for rank, place in ranked if rank is not None and not passed_over()]
                if not possible:
                    break
                _, place = min(possible)
                symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]
            for symbol in symbols:
                ids.extend(self._known(symbol))
        return ids

    def _known(self, symbol: str) -> list[int]:
        """The id of a symbol of the vocabulary; of another one, which is a character, its bytes or the unknown."""
        if symbol in self._ids:
            return [self._ids[symbol]]
        return [self._ids[f"<0x{byte:02X}>"] for byte in symbol.encode()] if self._bytes else [self._unknown]
