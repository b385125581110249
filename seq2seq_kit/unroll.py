"""A decoder run step by step over known targets: scheduled sampling, and the scores of given tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from seq2seq_kit.interfaces import Decoder, Memory, shift_right


def unroll(
    decoder: Decoder,
    memory: Memory | None,
    target: Tensor,
    bos_id: int,
    ratio: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Scores of all positions, the decoder fed the reference or its own best token (Bengio et al. 2015).

    Each position of each sentence is drawn on its own. In eval mode ``ratio=1`` equals ``forward`` and ``output``;
    ``ratio=0`` is training without teacher forcing. Differentiable, except through the choice of a token. A decoder's
    own losses (``DecoderOutput.losses``) belong to ``forward`` and are not computed.

    Args:
        target: labels [B, T].
        bos_id: the token fed first.
        ratio: the probability, 0 to 1, of feeding the reference.
        generator: draws the choices, on its own device; default: torch's global one.

    Returns: [B, T, V'] of ``decoder.score_kind``.
    """
    batch_size, length = target.shape
    device = target.device if generator is None else generator.device
    forced = (torch.rand(batch_size, length, generator=generator, device=device) < ratio).to(target.device)
    state = decoder.init_state(memory, batch_size)
    tokens = torch.full_like(target[:, :1], bos_id)  # [B, 1]
    scores = []
    for t in range(length):
        output = decoder.step(tokens, torch.full_like(target[:, 0], t), state)
        state = state.advance(output)
        scores.append(output.scores)  # [B, 1, V']
        tokens = torch.where(forced[:, t : t + 1], target[:, t : t + 1], output.scores.detach().argmax(-1))
    return torch.cat(scores, 1)


def forced_scores(decoder: Decoder, memory: Memory | None, target: Tensor, bos_id: int) -> Tensor:
    """The log-probability of each label of ``target`` [B, T] given those before it, [B, T]."""
    hidden = decoder(shift_right(target, bos_id), memory).hidden
    scores = decoder.output(hidden, memory)
    log_probs = scores.float().log_softmax(-1) if decoder.score_kind == "logits" else scores
    return log_probs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
