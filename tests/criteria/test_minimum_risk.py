"""Minimum risk: the formula against all outputs there are, samples from the engine, and that it lowers the cost."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from tiny_models import SOURCE, TARGET, member, model_config, tiny_batch
from torch import Tensor

from seq2seq_kit.config import validate
from seq2seq_kit.criteria import chunks
from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
from seq2seq_kit.criteria.minimum_risk import MinimumRisk, MinimumRiskConfig
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import PluginError
from seq2seq_kit.interfaces import Batch, Example, Output, TargetSpec, shift_right
from seq2seq_kit.model import Model, build_model

TINY = TargetSpec(vocab_size=5)  # BOS and padding can be written too: five tokens, 2 ends


class Letters:
    """The part of a task that the criterion needs."""

    def decode(self, example: Example, hypotheses: list[Hypothesis]) -> Output:
        return Output(" ".join("pbeuxyzvwst"[token] for token in hypotheses[0].tokens if token != 2), 0.0)


def criterion(target: TargetSpec = TARGET, **options: Any) -> MinimumRisk:
    own = MinimumRisk(validate(MinimumRiskConfig, {"name": "minimum_risk", **options}, "test"), target)
    own.attach(Letters())  # type: ignore[arg-type]
    return own


def by_brute_force(model: Model, batch: Batch, candidates: list[Any], costs: list[Any], alpha: float) -> Tensor:
    """Σ Q(c) cost(c), each probability from a pass of its own."""
    total = torch.zeros(())
    for b, (own, spent) in enumerate(zip(candidates, costs, strict=True)):
        size = int(batch.source_mask[b].sum())
        alone = Batch(batch.source[b : b + 1, :size], batch.source_mask[b : b + 1, :size])
        memory = model.encode(alone)
        powers = []
        for candidate in own:
            target = torch.tensor([candidate])
            hidden = model.decoder(shift_right(target, TARGET.bos_id), memory).hidden
            log_probs = model.decoder.output(hidden, memory).log_softmax(-1)[0]
            powers.append(log_probs[torch.arange(len(candidate)), target[0]].sum().exp() ** alpha)
        total = total + sum(p * cost for p, cost in zip(powers, spent, strict=True)) / sum(powers)
    return total


@pytest.mark.parametrize("alpha", [0.005, 1.0])
@pytest.mark.parametrize("chunk", [15, 2**22])
def test_value_and_gradient_are_those_of_all_outputs_of_a_tiny_language(
    alpha: float, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK", chunk)
    torch.manual_seed(0)
    model = build_model(model_config(), SOURCE, TINY).train()
    batch = tiny_batch((4, 2))
    writable = [0, 1, 3, 4]
    every = [(2,), *((a, 2) for a in writable), *itertools.product(writable, repeat=2)]  # of at most two tokens
    candidates = [every, every[:7]]
    costs = [torch.rand(len(own)).tolist() for own in candidates]
    if alpha == 1.0:  # the whole of probability is there: nothing was renormalised
        with torch.no_grad():
            mass = by_brute_force(model, batch, [every], [[1.0] * 21], 1.0)
        assert mass == pytest.approx(1.0)
    own = criterion(TINY, sharpness=alpha)
    risk = own.risk(model, batch, candidates, costs)
    expected = by_brute_force(model, batch, candidates, costs, alpha)
    torch.testing.assert_close(risk, expected)
    found = torch.autograd.grad(risk, list(model.parameters()), allow_unused=True)
    wanted = torch.autograd.grad(expected, list(model.parameters()), allow_unused=True)
    for gradient, right in zip(found, wanted, strict=True):
        torch.testing.assert_close(gradient, right, atol=1e-6, rtol=1e-4)


def test_candidates_are_the_reference_and_distinct_samples_of_the_engine() -> None:
    model, batch = member("gru", "gru", "luong-dot").train(), tiny_batch((5, 3, 4))
    assert batch.target is not None
    references = [tuple(row.tolist()) for row in batch.target]
    torch.manual_seed(0)
    drawn = criterion(samples=20)._candidates(model, batch, references)
    assert model.training  # as it was
    for own, reference in zip(drawn, references, strict=True):
        assert own[0] == reference and len(set(own)) == len(own) > 10
        assert all(len(candidate) <= 1.5 * len(reference) + 5 + 1 for candidate in own)  # and EOS
    torch.manual_seed(0)
    assert criterion(samples=20)._candidates(model, batch, references) == drawn  # torch's generator seeds the samples
    without = criterion(samples=20, reference=False)._candidates(model, batch, references)
    assert all(reference not in own for own, reference in zip(without, references, strict=True))


def test_the_cost_is_what_the_utility_leaves() -> None:
    for utility in ("bleu", "chrf", "exact"):
        own = criterion(utility=utility)
        assert own._cost((5, 6, 7, 2), (5, 6, 7, 2)) == pytest.approx(0)
        assert own._cost((4, 8, 9, 2), (5, 6, 7, 2)) > 0.7
    assert 0 < criterion()._cost((5, 6, 7, 8, 4, 2), (5, 6, 7, 8, 9, 2)) < 1
    with pytest.raises(PluginError, match="'blue'"):
        criterion(utility="blue")


def test_the_loss_against_the_labels_is_added() -> None:
    model, batch = member("gru", "gru", "luong-dot").train(), tiny_batch((5, 3, 4))
    scores, kind, _ = model(batch)
    base = CrossEntropy(CrossEntropyConfig(), TARGET)(scores, kind, batch.target, batch.target_mask)
    outputs = []
    for weight in (0.0, 0.5):
        torch.manual_seed(0)
        outputs.append(criterion(cross_entropy=weight).objective(model, batch))
    torch.testing.assert_close(outputs[1].loss - outputs[0].loss, 0.5 * base.loss, atol=1e-4, rtol=1e-5)
    for output in outputs:  # what is told of the labels is the same
        torch.testing.assert_close(output.nll, base.nll)
        assert output.correct == base.correct and output.tokens == base.tokens
    assert 0 < outputs[0].loss <= 3  # a mean cost of at most 1 a sentence


def test_steps_lower_the_cost_of_what_is_written() -> None:
    model, batch = member("gru", "gru", "luong-dot").train(), tiny_batch((5, 3, 4), target_length=4)
    own = criterion(samples=16, sharpness=1.0, utility="chrf", reference=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    torch.manual_seed(0)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = own.objective(model, batch).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
