"""A teacher-forced pass up to the output layer; then the output layer and the loss, a chunk of positions at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from seq2seq_kit.criteria.token_wise import log_probabilities
from seq2seq_kit.interfaces import Batch, Criterion, CriterionOutput, Decoder, DecoderOutput, Memory
from seq2seq_kit.model import Model
from seq2seq_kit.unroll import decoder_input

CHUNK, CHUNK_ON_ACCELERATOR = 2**22, 2**26
"""How many scores are held at once: 16 MiB of float32 on a CPU; more where each call of a kernel has its price."""

ScoreLoss = Callable[[list[Tensor], Tensor, Tensor], CriterionOutput]
"""``loss(scores, target [b, t], mask [b, t])`` with the scores [b, t, V'] of each pass."""

ScoreGradient = Callable[[Tensor, Tensor, Tensor], tuple[CriterionOutput, Tensor] | None]
"""The same for one pass, with the gradient [b, t, V'] of the loss with regard to its scores; None: differentiate."""


@dataclass
class Forced:
    """A pass of a model over known targets: all but the output layer."""

    model: Model
    memory: Memory | None
    prefix: Tensor  # [B, T]: what the decoder was fed
    decoded: DecoderOutput


def teacher_force(
    model: Model, batch: Batch, forcing: float = 1.0, *, prefix: Tensor | None = None, attention: bool = False
) -> Forced:
    """Encode the sources, and decode the labels ``batch.target`` [B, T], each given those before it.

    Args:
        forcing: the probability that the decoder is fed the label and not its own output; see
            :func:`seq2seq_kit.unroll.decoder_input`.
        prefix: [B, T], what to feed instead, BOS first: another pass's.
        attention: whether ``decoded.attention`` will be read.
    """
    assert batch.target is not None
    memory = model.encode(batch)
    with read_attention(model.decoder, attention):
        if prefix is None:
            prefix = decoder_input(model.decoder, memory, batch.target, model.target, forcing)
        return Forced(model, memory, prefix, model.decoder(prefix, memory))


@contextmanager
def read_attention(decoder: Decoder, wanted: bool) -> Iterator[None]:
    """Tell a decoder whether its attention will be read, for as long as a block takes."""
    before, decoder.attention_wanted = decoder.attention_wanted, wanted
    try:
        yield
    finally:
        decoder.attention_wanted = before


def criterion_in_chunks(criterion: Criterion, forced: Forced, batch: Batch) -> CriterionOutput:
    """``criterion.forward`` over all of a pass, and the decoder's own losses."""
    assert batch.target is not None and batch.target_mask is not None
    kind = forced.model.decoder.score_kind
    output = loss_in_chunks(
        lambda scores, target, mask: criterion(scores[0], kind, target, mask),
        [forced],
        batch.target,
        batch.target_mask,
        list(criterion.parameters()),
        lambda scores, target, mask: criterion.gradient(scores, kind, target, mask),
    )
    return replace(output, loss=sum(forced.decoded.losses.values(), output.loss))


def loss_in_chunks(
    loss: ScoreLoss,
    passes: Sequence[Forced],
    target: Tensor,
    mask: Tensor,
    parameters: Sequence[Tensor] = (),
    gradient: ScoreGradient | None = None,
) -> CriterionOutput:
    """The sum of ``loss`` over all real positions, whose scores [tokens, V'] never exist at once.

    The gradients of a chunk are computed along with its loss, and sent on when the sum is backpropagated through: the
    output layer is computed once, and what is kept of it has the size of the hidden states and of its weights.
    Positions of padding are left out, unless some decoder's ``output`` reads the memory: a chunk is then some whole
    sentences.

    Args:
        loss: sums over real positions.
        passes: whose scores ``loss`` is given, over the same target.
        target: labels [B, T].
        mask: [B, T] bool, True at real positions.
        parameters: what else ``loss`` depends on and is to be trained.
        gradient: for one pass, what may save ``loss`` from being differentiated.
    """
    flat = not any(one.model.decoder.output_reads_memory for one in passes)
    outputs = [_OutputLayer(one, mask if flat else None) for one in passes]
    if flat:
        target, mask = target[mask], mask[mask]  # [N]
    used = dict.fromkeys([*(p for one in passes for p in one.model.decoder.parameters()), *parameters])
    learned = [parameter for parameter in used if parameter.requires_grad]
    inputs = [x for output in outputs for x in output.inputs if x.requires_grad]
    differentiable = torch.is_grad_enabled() and bool(learned or inputs)

    total: CriterionOutput | None = None
    input_pieces: list[list[Tensor]] = [[] for _ in inputs]
    sums: list[Tensor | None] = [None for _ in learned]
    for rows in _chunks(target, max(one.model.target.vocab_size for one in passes)):
        labels, real = (target[rows][None], mask[rows][None]) if flat else (target[rows], mask[rows])  # [b, t]
        pieces = [[x[rows].detach().requires_grad_(x.requires_grad) for x in output.inputs] for output in outputs]
        scores = [output(own) for output, own in zip(outputs, pieces, strict=True)]
        known = gradient(scores[0].detach(), labels, real) if differentiable and gradient else None
        part = known[0] if known else loss(scores, labels, real)
        detached = replace(part, loss=part.loss.detach())
        total = total + detached if total else detached
        if not differentiable:
            continue
        leaves = [x for own in pieces for x in own if x.requires_grad]
        end, seed = (scores[0], known[1]) if known else (part.loss, None)
        with torch.autocast(target.device.type, enabled=False):  # as any backward pass is to be run
            found = torch.autograd.grad(end, [*leaves, *learned], seed, allow_unused=True)
        for leaf, one_piece, all_pieces in zip(leaves, found[: len(leaves)], input_pieces, strict=True):
            all_pieces.append(torch.zeros_like(leaf) if one_piece is None else one_piece)
        for i, piece in enumerate(found[len(leaves) :]):
            if piece is not None:
                so_far = sums[i]
                sums[i] = piece.clone() if so_far is None else so_far.add_(piece)
    assert total is not None
    if differentiable:
        gradients = [*(torch.cat(one) for one in input_pieces), *sums]
        total.loss = _Known.apply(total.loss, gradients, *inputs, *learned)  # type: ignore[no-untyped-call]
    return total


def log_probs_in_chunks(one: Forced, target: Tensor, mask: Tensor) -> Tensor:
    """The log-probability of each label of ``target`` [B, T], [B, T]; 0 where ``mask`` is False. Differentiable.

    For what is not a sum over positions. The scores of a chunk are computed once more for its gradient.
    """
    kind = one.model.decoder.score_kind
    flat = not one.model.decoder.output_reads_memory
    output = _OutputLayer(one, mask if flat else None)
    labels = target[mask] if flat else target  # [N] or [B, T]

    def chunk(labels: Tensor, *inputs: Tensor) -> Tensor:
        log_probs = log_probabilities(output(list(inputs)), kind)  # [1, n, V'] or [b, T, V']
        return log_probs.gather(-1, labels.view(*log_probs.shape[:-1], 1)).view(labels.shape)

    parts = []
    for rows in _chunks(labels, one.model.target.vocab_size):
        given = [labels[rows], *(x[rows] for x in output.inputs)]
        parts.append(checkpoint(chunk, *given, use_reentrant=False))
    found = torch.cat(parts)
    return found.new_zeros(mask.shape).masked_scatter(mask, found) if flat else found.masked_fill(~mask, 0)


class _OutputLayer:
    """A decoder's ``output`` as a function of tensors that can be cut along their first dimension.

    Attributes:
        inputs: the selected hidden states [N, H]; or, where ``selection`` is None, all of them [B, T, H] and the
            tensors of the memory [B, ...].
    """

    def __init__(self, forced: Forced, selection: Tensor | None) -> None:
        self._decoder = forced.model.decoder
        self._memory = forced.memory
        self._flat = selection is not None
        hidden = forced.decoded.hidden
        if selection is not None:
            self.inputs = [hidden[selection]]
        elif self._memory is None:
            self.inputs = [hidden]
        else:
            memory = self._memory
            self.inputs = [hidden, memory.states, memory.mask, *memory.final.values(), *memory.extras.values()]

    def __call__(self, inputs: list[Tensor]) -> Tensor:
        """Scores [b, t, V'] from a cut of ``inputs``."""
        if self._flat:
            return self._decoder.output(inputs[0].unsqueeze(0), None)
        if self._memory is None:
            return self._decoder.output(inputs[0], None)
        hidden, states, mask, *others = inputs
        final = dict(zip(self._memory.final, others, strict=False))
        extras = dict(zip(self._memory.extras, others[len(final) :], strict=True))
        return self._decoder.output(hidden, Memory(states, mask, final, extras))


class _Known(torch.autograd.Function):
    """``value``, a function of ``tensors`` whose ``gradients`` are known already."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: Sequence[Tensor | None], *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        return None, None, *(None if x is None else upstream.to(x.dtype) * x for x in ctx.saved_tensors)


def _chunks(target: Tensor, vocab_size: int) -> Iterator[slice]:
    """Cuts of the first dimension of ``target`` ([N] or [B, T]), one at least."""
    scores = CHUNK if target.device.type == "cpu" else CHUNK_ON_ACCELERATOR
    row = vocab_size * max(1, target[:1].numel())
    step = max(1, scores // row)
    for start in range(0, max(1, target.shape[0]), step):
        yield slice(start, start + step)
