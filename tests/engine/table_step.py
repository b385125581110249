"""A step whose scores are looked up in a table by everything the hypothesis has read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, ScoreKind, StepOutput


def _row_hash(before: Tensor, token: Tensor, size: int) -> Tensor:
    return (before * 5 + token + 1) % size


def _history_hash(tokens: Tensor, size: int) -> Tensor:
    value = torch.zeros_like(tokens[..., 0])
    for token in tokens.unbind(-1)[1:]:  # BOS does not count
        value = (value * 7 + token + 3) % size
    return value


class TableStep:
    """Scores ``table`` [B, P, V], at an index that both a row state and the whole history must be right for.

    One hash of the prefix travels in ``rows``, another is computed anew from ``history``: an engine that mixes up
    either reads other scores. The attention [B, K, 3] is (sentence, one hash, the other).
    """

    def __init__(self, table: Tensor, kind: ScoreKind = "logits") -> None:
        self.table, self.kind = table, kind
        self.calls: list[tuple[int, int]] = []  # (B', K') of each

    def state(self, sentences: list[int] | None = None) -> DecoderState:
        chosen = torch.tensor(range(len(self.table)) if sentences is None else sentences, dtype=torch.int64)
        return DecoderState(
            rows={"hash": torch.zeros(len(chosen), 1, dtype=torch.int64)},
            history={"tokens": torch.zeros(len(chosen), 1, 0, dtype=torch.int64)},
            sentences={"index": chosen},
        )

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        size = self.table.shape[1]
        self.calls.append(tuple(tokens.shape))
        assert tokens.dtype == position.dtype == torch.int64 and position.shape == tokens.shape[:1]
        assert state.history["tokens"].shape[2] == position[0]
        first = position.unsqueeze(1) == 0
        row_hash = torch.where(first, 0, _row_hash(state.rows["hash"], tokens, size))
        history_hash = _history_hash(torch.cat([state.history["tokens"], tokens.unsqueeze(-1)], -1), size)
        sentence = state.sentences["index"].unsqueeze(1).expand_as(tokens)
        return StepOutput(
            scores=self.table[sentence, (row_hash * 3 + history_hash) % size],
            kind=self.kind,
            rows={"hash": row_hash},
            new_history={"tokens": tokens.unsqueeze(-1)},
            attention=torch.stack([sentence, row_hash, history_hash], -1).float(),
        )

    def attention(self, sentence: int, tokens: list[int]) -> list[list[float]]:
        """What the step shows for each token of a hypothesis."""
        shown = []
        for length in range(len(tokens)):
            row_hash, history_hash = self._hashes(tokens[:length])
            shown.append([float(sentence), float(row_hash), float(history_hash)])
        return shown

    def scores(self, sentence: int) -> Callable[[list[int]], Tensor]:
        """The same scores as a function of a sentence's prefix, for the reference search."""

        def score(prefix: list[int]) -> Tensor:
            row_hash, history_hash = self._hashes(prefix)
            return self.table[sentence, (row_hash * 3 + history_hash) % self.table.shape[1]]

        return score

    def _hashes(self, prefix: list[int]) -> tuple[int, int]:
        size = self.table.shape[1]
        row_hash = history_hash = 0
        for token in prefix:
            row_hash = (row_hash * 5 + token + 1) % size
            history_hash = (history_hash * 7 + token + 3) % size
        return row_hash, history_hash
