"""CTC prefix scores in the search (Watanabe et al. 2017, section II-D; Hori et al. 2017, algorithm 2)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from seq2seq_kit import ComponentConfig, ConfigError, DecoderState, Memory, Processor, ProcessorOutput, TargetSpec
from seq2seq_kit_speech.encoder import CTC

ZERO = -1e9
"""The logarithm of a probability of 0; finite, so that differences are numbers."""
LEAST = -100.0
"""What a token that CTC finds impossible is given, in nats, and the least that it may find at a state."""


class CTCPrefixScoresConfig(ComponentConfig):
    """CTC beside the decoder in the search, for an encoder with ``ctc: true``."""

    name: str = "ctc"
    weight: float = Field(default=0.3, ge=0, le=1)
    """λ, the share of CTC in a token's score."""


class CTCPrefixScores(Processor):
    """(1 - λ) log p_att(c | g) + λ log p_ctc(c | g) for a token c after the tokens g.

    p_ctc(c | g) = ψ(g c) / ψ(g), where ψ(g) is the probability that CTC's output begins with g, or for EOS that it is
    g. With r_n(t) and r_b(t) the probability that the first t states say g and the last of them a token or the blank,

        ψ(g c) = Σ_t φ(t - 1) p_t(c)        φ(t) = r_b(t) + [c is not the last token of g] r_n(t).

    The recursions of the new r over t are first-order and linear, and computed for all t at once by cumulative sums.
    All in double precision, as these sums are of numbers of very different size.

    ``rows``: ``blank`` and ``token`` [B, K, S' + 1], log r_b and log r_n. ``sentences``: ``log_probs`` and ``probs``
    [B, S', V].

    Raises:
        ConfigError: the encoder makes no CTC scores.
    """

    def __init__(self, config: CTCPrefixScoresConfig, target: TargetSpec) -> None:
        self.weight = config.weight
        self._blank, self._bos, self._eos = target.pad_id, target.bos_id, target.eos_id

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        if memory is None or CTC not in memory.extras:
            raise ConfigError(
                "processors: ctc: the encoder of this run makes no CTC scores: use the encoder 'speech' with ctc: true"
            )
        log_probs = memory.extras[CTC].double()
        silent = torch.full_like(log_probs, LEAST)
        silent[:, :, self._blank] = 0
        log_probs = torch.where(memory.mask.unsqueeze(-1), log_probs.clamp(min=LEAST), silent)  # padding says nothing
        blank = torch.nn.functional.pad(log_probs[:, :, self._blank].cumsum(1), (1, 0))  # [B, S' + 1]
        rows = {"blank": blank.unsqueeze(1), "token": torch.full_like(blank, ZERO).unsqueeze(1)}
        return DecoderState(rows=rows, sentences={"log_probs": log_probs, "probs": log_probs.exp()})

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput:
        assert scores is not None
        log_probs = state.sentences["log_probs"]
        blank, token = state.rows["blank"], state.rows["token"]
        if tokens.shape[-1] > 1:  # the state is of the hypothesis before its last token
            blank, token = self._extend(blank, token, tokens[:, :, -2], tokens[:, :, -1], log_probs)
        either = torch.logaddexp(blank, token)  # [B, K, S' + 1]
        found = _begins(either, state.sentences["probs"])  # [B, K, V]
        if tokens.shape[-1] > 1:  # the last token, once more, must follow a blank
            last = tokens[:, :, -1]
            again = torch.logsumexp(blank[:, :, :-1] + _of(log_probs, last), -1, keepdim=True)
            found = found.scatter(-1, last.unsqueeze(-1), again)
        found[:, :, self._eos] = either[:, :, -1]
        found[:, :, [self._blank, self._bos]] = ZERO
        now = torch.logsumexp(found, -1, keepdim=True)  # ψ(g): g ends, or something follows it
        own = torch.where(now > ZERO / 2, found - now, LEAST).clamp(min=LEAST).to(scores.dtype)
        joint = (1 - self.weight) * scores + self.weight * own
        joint = joint.masked_fill(scores == -torch.inf, -torch.inf)  # what is barred stays so, also with λ = 1
        return ProcessorOutput(joint, state={"blank": blank, "token": token})

    def _extend(
        self, blank: Tensor, token: Tensor, before: Tensor, last: Tensor, log_probs: Tensor
    ) -> tuple[Tensor, Tensor]:
        """r_b and r_n [B, K, S' + 1] of hypotheses with one more token, ``last`` [B, K], after ``before`` [B, K]."""
        repeated = (before == last).unsqueeze(-1)
        ready = torch.where(repeated, blank, torch.logaddexp(blank, token))  # φ
        new_token = _accumulate(ready, _of(log_probs, last))
        return _accumulate(new_token, log_probs[:, None, :, self._blank]), new_token


def _of(log_probs: Tensor, tokens: Tensor) -> Tensor:
    """log p_t of the token of each hypothesis: [B, S', V] and [B, K] -> [B, K, S']"""
    return log_probs.transpose(1, 2).gather(1, tokens.unsqueeze(-1).expand(-1, -1, log_probs.shape[1]))


def _begins(ready: Tensor, probs: Tensor) -> Tensor:
    """log Σ_t φ(t - 1) p_t(c) for every token: [B, K, S' + 1] and [B, S', V] -> [B, K, V]"""
    ready = ready[:, :, :-1]
    largest = ready.amax(-1, keepdim=True)
    return ((ready - largest).exp() @ probs).clamp(min=1e-300).log() + largest


def _accumulate(given: Tensor, log_probs: Tensor) -> Tensor:
    """log r(t) for t = 0 … S', where r(0) = 0 and r(t) = p_t (r(t - 1) + given(t - 1)).

    With P(t) = p_1 … p_t it is r(t) = P(t) Σ_{i ≤ t} given(i - 1) / P(i - 1).

    Args:
        given: logarithms [B, K, S' + 1].
        log_probs: log p_1 … log p_S', [B, K or 1, S'].
    """
    products = log_probs.cumsum(-1)
    before = torch.nn.functional.pad(products, (1, 0))[..., :-1]
    sums = torch.logcumsumexp(given[..., :-1] - before, -1) + products
    return torch.nn.functional.pad(sums, (1, 0), value=ZERO).clamp(min=ZERO)
