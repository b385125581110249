"""Does a criterion keep what :class:`seq2seq_kit.Criterion` promises: sums over positions that add up in parts?"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Criterion, CriterionOutput, TargetSpec
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.probe import working_copy
from seq2seq_kit.testing.report import Fault, NotChecked, Report


@dataclass(frozen=True)
class _Probe:
    """A criterion in eval mode, with scores and labels of two sentences."""

    criterion: Criterion
    scores: Tensor  # [B, T, V], logits
    labels: Tensor  # [B, T]
    mask: Tensor  # [B, T]

    def __call__(self, positions: slice = slice(None), scores: Tensor | None = None) -> CriterionOutput:
        """What the positions give."""
        scores = self.scores if scores is None else scores
        return self.criterion(scores[:, positions], "logits", self.labels[:, positions], self.mask[:, positions])


def check_criterion(criterion: Criterion, target: TargetSpec | None = None, *, skip: Collection[str] = ()) -> Report:
    """Check ``forward`` and ``gradient`` of a criterion. ``objective``, which needs a model, is not called.

    ::

        def test_my_criterion_keeps_the_contract():
            check_criterion(MyCriterion(MyConfig(), TargetSpec(vocab_size=11)))

    Args:
        target: the vocabulary that the criterion was built with; default: 11 tokens.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    if not isinstance(criterion, Criterion):
        raise UserError(f"check_criterion is given a {type(criterion).__name__}; it checks a seq2seq_kit.Criterion")
    refuse_unknown(skip, CRITERION_CHECKS)
    target = target or TargetSpec(vocab_size=11)
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 6, target.vocab_size, generator=generator)
    labels = torch.randint(target.vocab_size, (2, 6), generator=generator)
    mask = torch.arange(6) < torch.tensor([[6], [4]])
    labels = labels.masked_fill(~mask, target.pad_id)
    probe = _Probe(working_copy(criterion), scores, labels, mask)
    return run_checks(type(criterion).__name__, CRITERION_CHECKS, probe, skip)


def _check_sums(probe: _Probe) -> None:
    with torch.enable_grad():
        scores = probe.scores.clone().requires_grad_()
        output = probe(scores=scores)
        if not isinstance(output, CriterionOutput):
            raise Fault(f"forward returns a {type(output).__name__}, not a CriterionOutput")
        for name in ("loss", "nll", "correct"):
            x = getattr(output, name)
            if not isinstance(x, Tensor) or x.dim() or not bool(x.isfinite()):
                raise Fault(f"{name} is {x!r}; it must be a finite scalar tensor")
        if not output.loss.requires_grad:
            raise Fault("loss has no gradient; training minimises it (torch.no_grad, detach or .item() somewhere?)")
        if output.nll.requires_grad or output.correct.requires_grad:
            raise Fault("nll and correct must be detached: they are kept over many batches")
        [gradient] = torch.autograd.grad(output.loss, scores)
    if not bool(gradient.isfinite().all()):
        raise Fault("the gradient of loss has NaN or an infinity")
    if output.tokens != int(probe.mask.sum()):
        raise Fault(f"tokens is {output.tokens}; {int(probe.mask.sum())} positions are counted")
    expected = -probe.scores.log_softmax(-1).gather(2, probe.labels.unsqueeze(2)).squeeze(2)[probe.mask].sum()
    if not torch.isclose(output.nll, expected, rtol=1e-4):
        raise Fault(
            f"nll is {float(output.nll):.6g}; the sum of -log p(label) over counted positions is "
            f"{float(expected):.6g}, whatever the loss is"
        )


def _check_parts(probe: _Probe) -> None:
    whole, parts = probe(), probe(slice(0, 2)) + probe(slice(2, 6))
    for name in ("loss", "nll", "correct", "tokens"):
        found, expected = float(getattr(parts, name)), float(getattr(whole, name))
        if abs(found - expected) > 1e-4 * max(1.0, abs(expected)):
            raise Fault(
                f"{name} of two parts is {found:.6g} together and {expected:.6g} at once; training gives a chunk of "
                "positions at a time, so return sums, not means, of each position's own"
            )


def _check_mask(probe: _Probe) -> None:
    other = torch.where(probe.mask.unsqueeze(2), probe.scores, 3 * probe.scores.flip(2))
    if abs(float(probe(scores=other).loss - probe().loss)) > 1e-4:
        raise Fault("positions that mask does not count change the loss; leave them out: scores[mask], target[mask]")


def _check_kinds(probe: _Probe) -> None:
    normal = probe.scores.log_softmax(-1)
    found = probe.criterion(normal, "log_probs", probe.labels, probe.mask)
    if abs(float(found.loss - probe().loss)) > 1e-3:
        raise Fault(
            f"loss is {float(probe().loss):.6g} for logits and {float(found.loss):.6g} for their log-probabilities; "
            'heed kind: "log_probs" are normalised already'
        )


def _check_gradient(probe: _Probe) -> None:
    found = probe.criterion.gradient(probe.scores, "logits", probe.labels, probe.mask)
    if found is None:
        raise NotChecked("it offers no gradient of its own")
    with torch.enable_grad():
        scores = probe.scores.clone().requires_grad_()
        output = probe(scores=scores)
        [expected] = torch.autograd.grad(output.loss, scores)
    if not torch.allclose(found[1], expected, atol=1e-4):
        raise Fault(f"gradient is up to {float((found[1] - expected).abs().max()):.2g} from that of forward's loss")
    if abs(float(found[0].loss - output.loss)) > 1e-3:
        raise Fault("gradient gives another loss than forward")


CRITERION_CHECKS = (
    Check("sums", "it sums over counted positions, and its loss can be differentiated", _check_sums),
    Check("parts", "the sums of parts are those of the whole", _check_parts, ("sums",)),
    Check("mask", "what is not counted counts nothing", _check_mask, ("sums",)),
    Check("kinds", "logits and log-probabilities give one loss", _check_kinds, ("sums",)),
    Check("gradient", "the gradient that it offers is that of its loss", _check_gradient, ("sums",)),
)
