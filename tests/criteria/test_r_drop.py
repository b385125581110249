"""R-Drop: the formula, the two passes, and that it is left out where there is no dropout."""

from __future__ import annotations

import pytest
import torch
from tiny_models import TARGET, member, tiny_batch
from torch import Tensor

from seq2seq_kit.config import validate
from seq2seq_kit.criteria import chunks
from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
from seq2seq_kit.criteria.r_drop import RDrop, RDropConfig
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.model import Model

ALPHA = 3.0
SMOOTHED = {"name": "cross_entropy", "label_smoothing": 0.1}


def criterion(alpha: float = ALPHA) -> RDrop:
    return RDrop(validate(RDropConfig, {"name": "r_drop", "alpha": alpha, "base": SMOOTHED}, "test"), TARGET)


def model(dropout: float = 0.3) -> Model:
    return member("gru", "gru", "bahdanau", dropout=dropout).train()


def test_the_loss_is_half_of_the_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 33)
    one, batch = model(), tiny_batch((5, 3, 4))
    assert batch.target is not None and batch.target_mask is not None
    torch.manual_seed(1)
    output = criterion().objective(one, batch)
    torch.manual_seed(1)
    passes = [one(batch)[0] for _ in range(2)]  # drawn in the same order
    p, q = (scores.log_softmax(-1) for scores in passes)
    assert not torch.equal(p, q)
    base = CrossEntropy(CrossEntropyConfig(label_smoothing=0.1), TARGET)
    labels = sum(base(x, "logits", batch.target, batch.target_mask).loss for x in passes)

    def divergence(p: Tensor, q: Tensor) -> Tensor:
        return (p.exp() * (p - q)).sum()

    papers = labels + ALPHA * (divergence(p, q) + divergence(q, p)) / 2
    torch.testing.assert_close(output.loss, papers / 2)
    found = torch.autograd.grad(output.loss, list(one.parameters()), allow_unused=True)
    expected = torch.autograd.grad(papers / 2, list(one.parameters()), allow_unused=True)
    for gradient, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, wanted, atol=1e-5, rtol=1e-5)


def test_in_eval_mode_it_is_the_loss_against_the_labels() -> None:
    one, batch = model().eval(), tiny_batch((5, 3, 4))
    scores, kind, _ = one(batch)
    expected = CrossEntropy(CrossEntropyConfig(label_smoothing=0.1), TARGET)(
        scores, kind, batch.target, batch.target_mask
    )
    torch.testing.assert_close(criterion().objective(one, batch).loss, expected.loss)


def test_both_passes_are_fed_the_same_tokens() -> None:
    one, batch, fed = model(), tiny_batch((5, 3, 4)), []
    one.decoder.register_forward_pre_hook(lambda _, inputs: fed.append(inputs[0]))
    torch.manual_seed(0)
    criterion().objective(one, batch, forcing=0.5)
    assert len(fed) == 2 and torch.equal(fed[0], fed[1])


def test_steps_bring_the_passes_together() -> None:
    one, batch = model(), tiny_batch((5, 3, 4))
    optimizer = torch.optim.Adam(one.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = criterion().objective(one, batch).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_a_base_that_needs_more_than_scores_is_refused() -> None:
    config = validate(RDropConfig, {"name": "r_drop", "base": "r_drop"}, "test")
    with pytest.raises(ConfigError, match=r"criterion r_drop: base .*cross_entropy.*r_drop does not"):
        RDrop(config, TARGET)
