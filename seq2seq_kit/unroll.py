"""What a decoder is fed in training, decoders run step by step over known targets, and the scores of given tokens."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from seq2seq_kit.interfaces import Decoder, Memory, TargetSpec, shift_right


def decoder_input(
    decoder: Decoder,
    memory: Memory | None,
    target: Tensor,
    spec: TargetSpec,
    ratio: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The tokens [B, T] to feed, BOS first: each the reference's or, for scheduled sampling, the decoder's own best.

    Each position of each sentence is drawn on its own. The decoder's own best token is found

    - step by step, after what it was itself fed so far (Bengio et al. 2015), unless ``decoder.parallel``. In eval mode
      ``ratio=0`` is then greedy search;
    - where ``decoder.parallel``, after the reference's tokens, in one pass for all positions, the first of two
      (Mihaylova and Martins 2019): a Transformer is spared T passes.

    The loss is then that of a teacher-forced pass over what is returned: with chunks, the decoder's own losses and, in
    training, dropout of its own. No gradient flows through the choice of a token.

    Args:
        target: labels [B, T].
        spec: the vocabulary; a word of the source's own (an id beyond it) is fed as unknown.
        ratio: the probability, 0 to 1, of feeding the reference.
        generator: draws the choices, on its own device; default: torch's global one.
    """
    reference = shift_right(target, spec.bos_id)
    if ratio == 1:
        return reference
    with torch.no_grad():
        if decoder.parallel:
            hidden = decoder(reference, memory).hidden
            positions = range(target.shape[1])  # one by one, so that [B, T, V'] never exists
            own = torch.cat([decoder.output(hidden[:, t : t + 1], memory).argmax(-1) for t in positions], 1)
            fed = shift_right(torch.where(_forced(target, ratio, generator), target, own), spec.bos_id)
        else:
            fed = torch.cat([fed for fed, _ in _steps(decoder, memory, target, spec.bos_id, ratio, generator)], 1)
        return fed.masked_fill(fed >= spec.vocab_size, spec.unk_id)


def unroll(
    decoder: Decoder,
    memory: Memory | None,
    target: Tensor,
    bos_id: int,
    ratio: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Scores of all positions by calls of ``step``, the decoder fed the reference or its own best token.

    Each position of each sentence is drawn on its own. In eval mode ``ratio=1`` equals ``forward`` and ``output``.
    Differentiable, except through the choice of a token. A decoder's own losses (``DecoderOutput.losses``) belong to
    ``forward`` and are not computed.

    Args:
        target: labels [B, T].
        bos_id: the token fed first.
        ratio: the probability, 0 to 1, of feeding the reference.
        generator: draws the choices, on its own device; default: torch's global one.

    Returns: [B, T, V'] of ``decoder.score_kind``.
    """
    return torch.cat([scores for _, scores in _steps(decoder, memory, target, bos_id, ratio, generator)], 1)


def _steps(
    decoder: Decoder,
    memory: Memory | None,
    target: Tensor,
    bos_id: int,
    ratio: float,
    generator: torch.Generator | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """What is fed [B, 1] and the scores [B, 1, V'] that follow, for each of the T positions."""
    forced = _forced(target, ratio, generator)
    state = decoder.init_state(memory, target.shape[0])
    tokens = torch.full_like(target[:, :1], bos_id)  # [B, 1]
    for t in range(target.shape[1]):
        output = decoder.step(tokens, torch.full_like(target[:, 0], t), state)
        state = state.advance(output)
        yield tokens, output.scores
        tokens = torch.where(forced[:, t : t + 1], target[:, t : t + 1], output.scores.detach().argmax(-1))


def _forced(target: Tensor, ratio: float, generator: torch.Generator | None) -> Tensor:
    """Where the reference is fed, [B, T] bool."""
    device = target.device if generator is None else generator.device
    return (torch.rand(target.shape, generator=generator, device=device) < ratio).to(target.device)


def forced_scores(decoder: Decoder, memory: Memory | None, target: Tensor, bos_id: int) -> Tensor:
    """The log-probability of each label of ``target`` [B, T] given those before it, [B, T]."""
    hidden = decoder(shift_right(target, bos_id), memory).hidden
    scores = decoder.output(hidden, memory)
    log_probs = scores.float().log_softmax(-1) if decoder.score_kind == "logits" else scores
    return log_probs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
