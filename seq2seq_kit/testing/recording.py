"""Record what a step scores in a search, so that the same scores can be searched again by something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from seq2seq_kit.interfaces import DecoderState, ScoreKind, StepOutput


class RecordedSteps:
    """Wraps a step, and keeps each row of scores by sentence and prefix.

    The engine and the slow reference search can then be compared on the same numbers, although a matrix product differs
    in its last bits with the number of rows it is computed for::

        recorded = RecordedSteps(decoder.step)
        found = search(recorded, recorded.watch(state), options)
        again = [reference_search(recorded.scores(b), options, kind=recorded.kind) for b in range(len(found))]
    """

    _SENTENCE, _PREFIX = "recorded.sentence", "recorded.prefix"

    def __init__(self, step: Callable[[Tensor, Tensor, DecoderState], StepOutput]) -> None:
        self.kind: ScoreKind = "logits"
        self._step = step
        self._scores: dict[tuple[int, tuple[int, ...]], Tensor] = {}

    def watch(self, state: DecoderState) -> DecoderState:
        """``state``, in which hypotheses also carry which sentence they belong to and the tokens they have read."""
        first = next(iter((state.sentences | state.rows | state.history).values()))
        sentence = torch.arange(first.shape[0], device=first.device)
        prefix = torch.empty(first.shape[0], 1, 0, dtype=torch.int64, device=first.device)
        history = {**state.history, self._PREFIX: prefix}
        return replace(state, history=history, sentences={**state.sentences, self._SENTENCE: sentence})

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        prefixes = torch.cat([state.history[self._PREFIX], tokens.unsqueeze(-1)], -1)  # [B, K, t + 1], BOS first
        history = {name: past for name, past in state.history.items() if name != self._PREFIX}
        sentences = {name: value for name, value in state.sentences.items() if name != self._SENTENCE}
        output = self._step(tokens, position, DecoderState(state.rows, history, sentences))
        self.kind = output.kind
        for b, sentence in enumerate(state.sentences[self._SENTENCE].tolist()):
            for k, prefix in enumerate(prefixes[b].tolist()):
                self._scores[sentence, tuple(prefix[1:])] = output.scores[b, k].clone()
        new_history = {**output.new_history, self._PREFIX: tokens.unsqueeze(-1)}
        return replace(output, new_history=new_history)

    def scores(self, sentence: int) -> Callable[[list[int]], Tensor]:
        """The recorded scores [V'] after a prefix of a sentence, as the reference search asks for them."""
        return lambda prefix: self._scores[sentence, tuple(prefix)]
