"""``sampling="tokens"``: independent samples of one sentence, plain Python, no tricks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Finish, Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference import hf, kit
from seq2seq_kit.testing.reference.common import length_limit, ranking_score
from seq2seq_kit.testing.reference.sampling import draw, random_below, warp


def search(
    score: Callable[[list[int]], Tensor],
    options: SearchOptions,
    sentence: SentenceInput = SentenceInput(),
    *,
    kind: ScoreKind = "logits",
) -> list[Hypothesis]:
    """K independent samples of one sentence, the ``n_best`` of them with the best scores.

    Each goes on until EOS or its limit, which are those of ``semantics`` ``"kit"`` or ``"hf"``. Its log-probabilities
    are those of the processed scores, before the warpers. Among equal scores, the shorter comes first, then the one of
    the lower number.
    """
    semantics = hf if options.semantics == "hf" else kit
    prompt = list(sentence.prefix) if semantics is hf and not options.prefix_bias else []
    limit = length_limit(options, sentence)
    longest = max(limit, len(prompt) + 1) if semantics is hf else limit + bool(options.eos_ids)

    samples = []
    for sample in range(options.beam_size):
        tokens, log_probs, total = list(prompt), [0.0] * len(prompt), torch.tensor(0.0)
        while True:
            row = semantics.row(score(tokens), tokens, limit, options, sentence, kind)  # [V]
            random = partial(
                random_below, seed=options.seed, sentence=sentence.key, sample=sample, position=len(tokens), draw=0
            )
            token = draw(warp(row, options), random)
            if token is None:
                break
            total = total + row[token]  # float32
            tokens.append(token)
            log_probs.append(row[token].item())
            eos, last = token in options.eos_ids, len(tokens) == longest
            if eos or last:
                final = ranking_score(options, sentence, total.item(), len(tokens) - len(prompt))
                why: Finish = "length" if last and (semantics is kit or not eos) else "eos"
                samples.append(Hypothesis(tokens, final, total.item(), log_probs, why))
                break
    samples.sort(key=lambda hypothesis: (-hypothesis.score, len(hypothesis.tokens)))  # stable
    return samples[: options.n_best]
