"""A step that follows a script: a function from a prefix to the scores of the next token."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import DecoderState, ScoreKind, StepOutput
from seq2seq_kit.testing.reference_search import reference_search

Script = Callable[[list[int]], Tensor]
"""Scores [V] after a prefix of generated tokens."""


def row(size: int, scores: Mapping[int, float]) -> Tensor:
    """[size]: these scores, and -inf elsewhere."""
    out = torch.full((size,), -math.inf)
    for token, score in scores.items():
        out[token] = score
    return out


class ScriptedStep:
    """One script a sentence. What has been read travels in ``history``."""

    def __init__(self, *scripts: Script, kind: ScoreKind = "log_probs") -> None:
        self.scripts, self.kind = scripts, kind

    def state(self) -> DecoderState:
        batch = len(self.scripts)
        return DecoderState(
            history={"tokens": torch.zeros(batch, 1, 0, dtype=torch.int64)}, sentences={"index": torch.arange(batch)}
        )

    def __call__(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        read = torch.cat([state.history["tokens"], tokens.unsqueeze(-1)], -1)  # [B, K, 1 + t], BOS first
        scores = [
            torch.stack([self.scripts[sentence](prefix[1:]) for prefix in prefixes])
            for sentence, prefixes in zip(state.sentences["index"].tolist(), read.tolist(), strict=True)
        ]
        return StepOutput(torch.stack(scores), self.kind, {}, {"tokens": tokens.unsqueeze(-1)})


def find(
    by: str, script: Script, options: SearchOptions, sentence: SentenceInput = SentenceInput()
) -> list[Hypothesis]:
    """Search one sentence of log-probabilities, ``by`` the "reference" or the "engine"."""
    if by == "reference":
        return reference_search(script, options, sentence, kind="log_probs")
    step = ScriptedStep(script)
    return search(step, step.state(), options, sentences=[sentence])[0]
