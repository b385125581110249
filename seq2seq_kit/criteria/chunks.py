"""The output layer and the loss, a chunk of positions at a time: all the scores of a batch never exist at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from seq2seq_kit.criteria.forced import Forced
from seq2seq_kit.criteria.token_wise import log_probabilities
from seq2seq_kit.interfaces import Batch, Criterion, CriterionOutput, Memory

CHUNK, LARGEST_CHUNK = 2**22, 2**26
"""How many scores are held at once: 16 MiB of float32 for each thread of a CPU, since threads wait for each other after
each operation; 256 MiB at most, and on an accelerator."""

ScoreLoss = Callable[[list[Tensor], Tensor, Tensor], CriterionOutput]
"""``loss(scores, target [b, t], mask [b, t])`` with the scores [b, t, V'] of each pass."""

ScoreGradient = Callable[[Tensor, Tensor, Tensor], tuple[CriterionOutput, Tensor] | None]
"""The same for one pass, with the gradient [b, t, V'] of the loss with regard to its scores; None: differentiate."""


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
    learned = [*(p for one in passes for p in one.model.decoder.parameters()), *parameters]
    gradients = _Gradients([x for output in outputs for x in output.inputs], learned)

    total: CriterionOutput | None = None
    for rows in _chunks(target, max(one.model.target.vocab_size for one in passes)):
        labels, real = (target[rows][None], mask[rows][None]) if flat else (target[rows], mask[rows])  # [b, t]
        cut = [[x[rows].detach().requires_grad_(x.requires_grad) for x in output.inputs] for output in outputs]
        scores = [output(own) for output, own in zip(outputs, cut, strict=True)]
        known = gradient(scores[0].detach(), labels, real) if gradient and gradients.wanted else None
        part = known[0] if known else loss(scores, labels, real)
        if gradients.wanted:
            end, seed = (scores[0], known[1]) if known else (part.loss, None)
            gradients.add(end, seed, [x for own in cut for x in own])
        part.loss = part.loss.detach()
        total = total + part if total else part
    assert total is not None
    total.loss = gradients.attach(total.loss)
    return total


class _Gradients:
    """The gradients of a sum, gathered chunk by chunk.

    Args:
        inputs: what chunks are cuts of, along the first dimension.
        parameters: what every chunk may depend on.

    Attributes:
        wanted: whether there is anything to differentiate by.
    """

    def __init__(self, inputs: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
        self._inputs = [x for x in inputs if x.requires_grad]
        self._parameters = [x for x in dict.fromkeys(parameters) if x.requires_grad]
        self._of_inputs: list[list[Tensor]] = [[] for _ in self._inputs]
        self._of_parameters: list[Tensor | None] = [None for _ in self._parameters]
        self.wanted = torch.is_grad_enabled() and bool(self._inputs or self._parameters)

    def add(self, end: Tensor, seed: Tensor | None, cut: Sequence[Tensor]) -> None:
        """Differentiate ``end`` (a scalar, or with its gradient ``seed``) by ``cut``, a chunk's part of the inputs."""
        leaves = [x for x in cut if x.requires_grad]
        with torch.autocast(end.device.type, enabled=False):  # as any backward pass is to be run
            found = torch.autograd.grad(end, [*leaves, *self._parameters], seed, allow_unused=True)
        for leaf, new, pieces in zip(leaves, found[: len(leaves)], self._of_inputs, strict=True):
            pieces.append(torch.zeros_like(leaf) if new is None else new)
        for i, new in enumerate(found[len(leaves) :]):
            if new is not None:
                so_far = self._of_parameters[i]
                self._of_parameters[i] = new.clone() if so_far is None else so_far.add_(new)

    def attach(self, value: Tensor) -> Tensor:
        """``value``, the sum over all chunks, such that backpropagation finds these gradients."""
        if not self.wanted:
            return value
        known = [*(torch.cat(pieces) for pieces in self._of_inputs), *self._of_parameters]
        attached: Tensor = _Known.apply(value, known, *self._inputs, *self._parameters)  # type: ignore[no-untyped-call]
        return attached


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


def _chunks(target: Tensor, vocab_size: int) -> Iterator[slice]:
    """Cuts of the first dimension of ``target`` ([N] or [B, T]), one at least."""
    scores = min(CHUNK * torch.get_num_threads(), LARGEST_CHUNK) if target.device.type == "cpu" else LARGEST_CHUNK
    row = vocab_size * max(1, target[:1].numel())
    step = max(1, scores // row)
    for start in range(0, max(1, target.shape[0]), step):
        yield slice(start, start + step)
