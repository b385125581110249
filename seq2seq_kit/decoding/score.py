"""Forced scoring: how likely a model finds targets that are given, in the search's own terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.decoding.ensemble import Combination
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import Step
from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import Batch, DecoderState, ScoreKind, StepOutput
from seq2seq_kit.model import Model


@dataclass(frozen=True)
class TargetScore:
    """What a model says of one target."""

    tokens: list[int]
    """The target, EOS included where it was given with one."""
    token_log_probs: list[float]
    """The log-probability of each token given those before it, in nats."""
    log_prob: float
    """Their sum, added up in float32 from the first to the last."""
    score: float
    """What a search with the same options ranks this output by (``coverage_penalty`` is refused); of semantics other
    than the kit's, their length penalty alone is counted."""

    @property
    def perplexity(self) -> float:
        """exp of minus the mean log-probability of a token; 1 is certainty."""
        return self.prefix_perplexity(len(self.tokens))

    def prefix_perplexity(self, length: int) -> float:
        """The perplexity of the first ``length`` tokens."""
        if not 1 <= length <= len(self.tokens):
            raise SearchError(f"length = {length}: must be between 1 and the target's {len(self.tokens)} tokens")
        return math.exp(-sum(self.token_log_probs[:length]) / length)


def score_by_steps(
    step: Step,
    state: DecoderState | None,
    targets: Sequence[Sequence[int]],
    options: SearchOptions | None = None,
    *,
    source_lengths: Sequence[int] | None = None,
) -> list[TargetScore]:
    """Score one target a sentence by feeding it to ``step``, token by token; any step that can be searched will do.

    Args:
        step: as for :func:`seq2seq_kit.decoding.search.search`.
        state: the state before the first step (K = 1); None for a step without state.
        targets: [B] token ids, without BOS, with EOS where the end is to be scored too. Not empty.
        options: BOS, temperature, and by what scores are ranked.
        source_lengths: [B], for ``brevity_penalty``.
    """
    options = options or SearchOptions()
    _check(targets, len(targets), options)
    state = DecoderState() if state is None else state
    device = next((x.device for part in vars(state).values() for x in part.values()), torch.device("cpu"))
    given = _padded(targets).to(device)  # [B, T]
    tokens = torch.full_like(given[:, :1], options.bos_id)  # [B, K = 1]
    rows = []
    with torch.inference_mode():
        for t in range(given.shape[1]):
            output = step(tokens, torch.full_like(given[:, 0], t), state)
            if isinstance(output, Tensor):
                output = StepOutput(output)
            rows.append(_chosen(output.scores[:, 0], output.kind, given[:, t : t + 1], options))
            state = state.advance(output)
            tokens = given[:, t : t + 1]
    return _scored(targets, torch.cat(rows, 1).cpu(), options, source_lengths)


def score_batch(
    model: Model, batch: Batch, targets: Sequence[Sequence[int]], options: SearchOptions | None = None
) -> list[TargetScore]:
    """Score one target a sentence by teacher forcing, all positions at once; see :func:`score_by_steps`.

    Args:
        model: in eval mode.
        batch: the sources; a target in it is not read.
    """
    options = options or SearchOptions()
    _check(targets, len(batch), options)
    device = batch.source.device
    given = _padded(targets).to(device)  # [B, T]
    prefix = torch.cat([torch.full_like(given[:, :1], options.bos_id), given[:, :-1]], 1)
    with torch.inference_mode():
        memory = model.encode(batch)
        hidden = model.decoder(prefix, memory).hidden  # [B, T, H]
        chosen = []
        for t in range(given.shape[1]):  # by position, so that [B, T, V'] never exists
            scores = model.decoder.output(hidden[:, t : t + 1], memory)[:, 0]  # [B, V']
            chosen.append(_chosen(scores, model.decoder.score_kind, given[:, t : t + 1], options))
    return _scored(targets, torch.cat(chosen, 1).cpu(), options, batch.source_mask.sum(1).tolist())


def score_ensemble(
    members: Sequence[Sequence[TargetScore]],
    weights: Sequence[float],
    combination: Combination,
    options: SearchOptions,
    source_lengths: Sequence[int] | None = None,
) -> list[TargetScore]:
    """The scores of an :class:`~seq2seq_kit.decoding.ensemble.Ensemble` from those of its members, [members][B].

    A token's probability needs no other token's, so that members may be scored apart, at temperature 1.
    """
    if options.temperature != 1:
        raise SearchError(f"search option temperature = {options.temperature:g}: an ensemble scores at 1")
    found = []
    for scores in zip(*members, strict=True):
        log_probs = torch.tensor([score.token_log_probs for score in scores])  # [members, T]
        scale = torch.tensor(weights).unsqueeze(1)
        if combination == "linear":
            found.append(torch.logsumexp(log_probs + (scale / scale.sum()).log(), 0))
        else:
            found.append((log_probs.masked_fill(scale == 0, 0) * scale).sum(0))
    targets = [score.tokens for score in members[0]]
    chosen = torch.nn.utils.rnn.pad_sequence(found, batch_first=True) if found else torch.zeros(0, 0)
    return _scored(targets, chosen, options, source_lengths)


def rank(scores: Sequence[TargetScore]) -> list[int]:
    """The indexes of ``scores``, best first; among equals, the one that was given first."""
    return sorted(range(len(scores)), key=lambda i: -scores[i].score)


def ranking_score(options: SearchOptions, source_length: int, log_prob: float, length: int) -> float:
    """What ``semantics="kit"`` ranks by, in float64.

    (s - word penalty n) / ((β + n) / (β + 1))**α + brevity penalty min(0, 1 - expected / n)
    """
    offset = options.length_penalty_offset
    penalty = ((offset + length) / (offset + 1)) ** options.length_penalty
    score = (log_prob - options.word_penalty * length) / penalty
    if options.brevity_penalty:
        score += options.brevity_penalty * min(0.0, 1 - options.brevity_ratio * source_length / length)
    return score


def _check(targets: Sequence[Sequence[int]], sentences: int, options: SearchOptions) -> None:
    if options.coverage_penalty:
        raise SearchError("search option coverage_penalty: forced scoring knows none; set it to 0")
    if len(targets) != sentences:
        raise SearchError(f"there are {sentences} sentences, but {len(targets)} targets")
    for i, target in enumerate(targets):
        if not target or any(token < 0 for token in target):
            raise SearchError(f"target {i} = {list(target)}: must be token ids of at least 0, at least one")


def _padded(targets: Sequence[Sequence[int]]) -> Tensor:
    """[B, T] int64; the padding is token 0, whose score is dropped."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(list(target)) for target in targets], batch_first=True)


def _chosen(scores: Tensor, kind: ScoreKind, tokens: Tensor, options: SearchOptions) -> Tensor:
    """[B, 1] float32: the log-probability of ``tokens`` [B, 1] by ``scores`` [B, V']."""
    if tokens.max() >= scores.shape[-1]:
        raise SearchError(f"a target has token {int(tokens.max())}: the model scores {scores.shape[-1]}")
    if kind == "log_probs" and options.temperature == 1:
        return scores.float().gather(1, tokens)
    return torch.log_softmax(scores.float() / options.temperature, -1).gather(1, tokens)


def _scored(
    targets: Sequence[Sequence[int]], chosen: Tensor, options: SearchOptions, source_lengths: Sequence[int] | None
) -> list[TargetScore]:
    """``chosen`` [B, T]: the log-probability of each token."""
    found = []
    for i, target in enumerate(targets):
        own = chosen[i, : len(target)]
        total = torch.zeros(())
        for log_prob in own:
            total = total + log_prob  # float32, in order, as the engine adds
        source_length = source_lengths[i] if source_lengths is not None else 0
        final = ranking_score(options, source_length, total.item(), len(target))
        found.append(TargetScore(list(target), own.tolist(), total.item(), final))
    return found
