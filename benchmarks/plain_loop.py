"""The rival: greedy and beam search as a good engineer writes them in plain PyTorch, batched, for our decoders.

They use the decoder's ``init_state`` and ``step`` as the engine does (keys projected once, beam as a dimension) and
obey its rules (``SearchOptions``, ``semantics="kit"``), except that a sentence is searched until all its slots are
done and that finished rows stay in the batch. Their output is compared with the engine's in the tests.
"""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import DecoderState

Found = list[tuple[list[int], float]]
"""For each sentence the tokens of its best hypothesis, EOS included, and their summed log-probability."""


def _limits(batch_size: int, options: SearchOptions, source_lengths: Tensor | None) -> Tensor:
    """[B] tokens after which a sentence must end."""
    limits = torch.full((batch_size,), options.max_length)
    if source_lengths is not None and options.max_length_ratio > 0:
        own = (options.max_length_ratio * source_lengths).floor().long() + options.max_length_margin
        limits = torch.minimum(limits, own)
    return limits


def _log_probs(scores: Tensor, t: int, limits: Tensor, options: SearchOptions) -> Tensor:
    """[B, K, V] log-probabilities at step ``t`` with the limits on length applied."""
    log_probs = scores.log_softmax(-1)
    (eos,) = options.eos_ids
    if t < options.min_length:
        log_probs[t < limits, :, eos] = -torch.inf
    at_limit = limits == t
    if at_limit.any():
        log_probs[at_limit, :, :eos] = -torch.inf
        log_probs[at_limit, :, eos + 1 :] = -torch.inf
    return log_probs


def greedy(
    step, state: DecoderState, batch_size: int, options: SearchOptions, source_lengths: Tensor | None = None
) -> Found:
    """Take the best token until all sentences have ended."""
    (eos,) = options.eos_ids
    limits = _limits(batch_size, options, source_lengths)
    tokens = torch.full((batch_size, 1), options.bos_id)
    live = torch.ones(batch_size, 1, dtype=torch.bool)
    total = torch.zeros(batch_size, 1)
    taken = []  # [B, 1] a step; -1 after EOS
    for t in range(int(limits.max()) + 1):
        output = step(tokens, torch.full((batch_size,), t), state)
        best, tokens = _log_probs(output.scores, t, limits, options).max(-1)
        total += best.where(live, 0)
        taken.append(tokens.where(live, -1))
        live &= tokens != eos
        if not live.any():
            break
        state = state.advance(output)
    sequences = torch.cat(taken, 1).tolist()
    return [([x for x in s if x >= 0], p) for s, p in zip(sequences, total[:, 0].tolist(), strict=True)]


def beam(
    step, state: DecoderState, batch_size: int, options: SearchOptions, source_lengths: Tensor | None = None
) -> Found:
    """Beam search: the best of B x K x V a step by ``topk``, the state gathered by ``index_select``."""
    (eos,) = options.eos_ids
    limits = _limits(batch_size, options, source_lengths)
    width = options.beam_size
    tokens = torch.full((batch_size, 1), options.bos_id)
    total = torch.zeros(batch_size, 1)  # [B, K], -inf where a slot is done
    sequences = torch.empty(batch_size, 1, 0, dtype=torch.long)  # [B, K, t]
    open_slots = torch.full((batch_size, 1), width)
    ranks = torch.arange(width)
    finished: list[list[tuple[float, list[int], float]]] = [[] for _ in range(batch_size)]
    for t in range(int(limits.max()) + 1):
        output = step(tokens, torch.full((batch_size,), t), state)
        log_probs = _log_probs(output.scores, t, limits, options)
        vocabulary = log_probs.shape[-1]
        candidates = log_probs.add_(total.unsqueeze(-1)).flatten(1)  # [B, K * V]
        total, index = candidates.topk(min(width, candidates.shape[1]))
        total = total.masked_fill(ranks[: total.shape[1]] >= open_slots, -torch.inf)
        parents, tokens = index // vocabulary, index % vocabulary  # [B, K]
        state, sequences = _reorder(state.advance(output), sequences, parents)
        sequences = torch.cat([sequences, tokens.unsqueeze(-1)], -1)
        ended = (tokens == eos) & total.isfinite()
        if ended.any():
            for b, k in ended.nonzero().tolist():
                log_prob = total[b, k].item()
                score = log_prob / (t + 1) ** options.length_penalty
                finished[b].append((score, sequences[b, k].tolist(), log_prob))
            open_slots = open_slots - ended.sum(1, keepdim=True)
            total = total.masked_fill(ended, -torch.inf)
        if not total.isfinite().any():
            break
    best = [max(sentence, key=lambda hypothesis: hypothesis[0]) for sentence in finished]
    return [(tokens, log_prob) for _, tokens, log_prob in best]


def _reorder(state: DecoderState, sequences: Tensor, parents: Tensor) -> tuple[DecoderState, Tensor]:
    """The state and the tokens so far of the hypotheses ``parents`` [B, K']."""
    batch, width = sequences.shape[:2]
    flat = (parents + torch.arange(0, batch * width, width).unsqueeze(1)).flatten()

    def gather(x: Tensor) -> Tensor:  # [B, K, ...] -> [B, K', ...]
        return x.flatten(0, 1).index_select(0, flat).unflatten(0, parents.shape)

    rows = {name: gather(x) for name, x in state.rows.items()}
    history = {name: gather(x) for name, x in state.history.items()}
    return DecoderState(rows, history, state.sentences), gather(sequences)
