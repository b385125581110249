"""Cross-entropy: masked, summed, smoothed as fairseq and OpenNMT smooth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from tiny_models import TARGET, lengths_mask

from seq2seq_kit.criteria.cross_entropy import CrossEntropy, CrossEntropyConfig
from seq2seq_kit.interfaces import CriterionOutput

CASES = Path(__file__).parents[3] / "shared" / "cases" / "fairseq_label_smoothing.json"
MASK = lengths_mask([5, 2, 3])
V = TARGET.vocab_size


def criterion(label_smoothing: float = 0.0) -> CrossEntropy:
    return CrossEntropy(CrossEntropyConfig(label_smoothing=label_smoothing), TARGET)


def example() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 5, V, generator=generator, requires_grad=True)
    return scores, torch.randint(0, V, (3, 5), generator=generator)


def test_without_smoothing_it_is_pytorchs() -> None:
    scores, target = example()
    out = criterion()(scores, "logits", target, MASK)
    expected = F.cross_entropy(scores[MASK], target[MASK], reduction="sum")
    torch.testing.assert_close(out.loss, expected)
    torch.testing.assert_close(out.nll, expected.detach())
    assert out.tokens == 10
    assert out.correct == (scores.argmax(-1) == target)[MASK].sum()


@pytest.mark.parametrize("smoothing", [0.1, 0.5, 0.9])
def test_the_smoothed_label_is_a_distribution_spread_over_the_others(smoothing: float) -> None:
    scores, target = example()
    out = criterion(smoothing)(scores, "logits", target, MASK)
    labels = torch.full((3, 5, V), smoothing / (V - 1)).scatter(2, target.unsqueeze(-1), 1 - smoothing)
    expected = -(labels * scores.log_softmax(-1)).sum(-1)[MASK].sum()
    torch.testing.assert_close(out.loss, expected)
    torch.testing.assert_close(out.nll, criterion()(scores, "logits", target, MASK).nll)  # whatever the loss is
    assert not out.nll.requires_grad and not out.correct.requires_grad


def test_padding_counts_nowhere() -> None:
    scores, target = example()
    out = criterion(0.1)(scores, "logits", target, MASK)
    (gradient,) = torch.autograd.grad(out.loss, scores)
    assert not gradient[~MASK].any() and gradient[MASK].any()
    poisoned = scores.detach().masked_fill(~MASK.unsqueeze(-1), float("nan"))
    assert criterion(0.1)(poisoned, "logits", target, MASK).loss == out.loss


def test_sums_over_batches_add_up() -> None:
    scores, target = example()
    whole = criterion(0.1)(scores, "logits", target, MASK)
    parts = [criterion(0.1)(scores[i : i + 1], "logits", target[i : i + 1], MASK[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(sum(p.loss for p in parts), whole.loss)
    assert sum(p.tokens for p in parts) == whole.tokens
    assert sum(p.correct for p in parts) == whole.correct


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_log_probabilities_are_taken_as_they_are(smoothing: float) -> None:
    scores, target = example()
    logits = criterion(smoothing)(scores, "logits", target, MASK)
    log_probs = criterion(smoothing)(scores.log_softmax(-1), "log_probs", target, MASK)
    torch.testing.assert_close(log_probs.loss, logits.loss)
    shifted = criterion(smoothing)(scores.log_softmax(-1) - 1, "log_probs", target, MASK)  # not normalised again
    torch.testing.assert_close(shifted.nll, logits.nll + 10)


def test_a_batch_without_real_positions_is_worth_nothing() -> None:
    scores, target = example()
    out = criterion(0.1)(scores, "logits", target, torch.zeros_like(MASK))
    out.loss.backward()
    assert out.loss == 0 and out.tokens == 0
    assert not scores.grad.any()


def test_half_precision_scores_are_summed_in_float32() -> None:
    scores, target = example()
    out = criterion()(scores.bfloat16(), "logits", target, MASK)
    assert out.loss.dtype == torch.float32


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_smoothing_out_of_range_is_refused(smoothing: float) -> None:
    with pytest.raises(ValidationError):
        criterion(smoothing)


@pytest.mark.skipif(not CASES.exists(), reason=f"{CASES.name} is not beside this checkout")
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_fairseqs_own_case(smoothing: float) -> None:
    case = json.loads(CASES.read_text())
    steps = torch.tensor(case["probs_per_step"]).log()  # [T, V]
    targets, pad = case["targets"], case["pad"]
    expected = case["derived_smoothed_sum_eps_0_1" if smoothing else "derived_nll_sum"]

    def score(sentences: list[list[int]]) -> CriterionOutput:
        target = torch.tensor([s + [pad] * (3 - len(s)) for s in sentences])
        scores = steps.expand(len(sentences), -1, -1)
        return criterion(smoothing)(scores, "log_probs", target, target != pad)

    for sentence, value in zip(targets, expected, strict=True):
        assert float(score([sentence]).loss) == pytest.approx(value, abs=1e-5)
    assert float(score(targets).loss) == pytest.approx(sum(expected), abs=1e-5)
