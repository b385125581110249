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


def test_what_is_impossible_is_no_other_token() -> None:
    scores, target = example()
    barred = torch.cat([scores, torch.full((3, 5, 2), -torch.inf)], -1)  # words that another sentence has
    for smoothing in (0.0, 0.1):
        expected = criterion(smoothing)(scores.log_softmax(-1), "log_probs", target, MASK)
        found = criterion(smoothing)(barred.log_softmax(-1), "log_probs", target, MASK)
        torch.testing.assert_close(found.loss, expected.loss)
        (gradient,) = torch.autograd.grad(found.loss, scores)
        assert gradient.isfinite().all()


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("size", [2, 15, 16, 33, 1500])
def test_the_kernels_gradient_is_that_of_the_loss(dtype: torch.dtype, smoothing: float, size: int) -> None:
    torch.manual_seed(size)
    scores = (5 * torch.randn(2, 7, size)).to(dtype).requires_grad_()
    target, mask = torch.randint(0, size, (2, 7)), torch.rand(2, 7) < 0.7
    target[~mask] = -100  # labels of padding are not looked at
    measure = CrossEntropy(CrossEntropyConfig(label_smoothing=smoothing), TARGET)
    found = measure.gradient(scores.detach(), "logits", target, mask)
    assert found is not None
    exact = measure(scores.double(), "logits", target, mask)
    (wanted,) = torch.autograd.grad(exact.loss, scores)
    assert found[1].dtype == dtype
    torch.testing.assert_close(found[0].loss, exact.loss.detach(), rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(found[0].nll, exact.nll, rtol=1e-5, atol=1e-4)
    assert (found[0].correct, found[0].tokens) == (exact.correct, exact.tokens)
    tolerance = 1e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(found[1], wanted, rtol=tolerance, atol=tolerance / 10)
    assert not found[1][~mask].any()


def test_the_kernel_with_impossible_tokens_ties_and_nothing() -> None:
    scores = torch.tensor([[[0.0, 0.0, -torch.inf], [torch.nan, 0.0, 0.0], [1e4, -1e4, 0.0]]])
    target, mask = torch.tensor([[0, 1, 1]]), torch.tensor([[True, False, True]])
    found = criterion().gradient(scores, "logits", target, mask)
    assert found is not None and found[0].correct == 1  # a tie is no mistake
    torch.testing.assert_close(found[0].loss, torch.tensor(2e4 + 0.6931472))
    torch.testing.assert_close(found[1], torch.tensor([[[-0.5, 0.5, 0], [0, 0, 0], [1, -1, 0]]]))
    wrong = criterion().gradient(scores, "logits", target, torch.ones_like(mask))
    assert wrong is not None and wrong[0].loss.isnan() and wrong[1][0, 1].isnan().all()
    with pytest.raises(IndexError, match="label 3 is out of the range of 3"):
        criterion().gradient(scores, "logits", target + 2, mask)
    nothing = criterion(0.1).gradient(scores[:, :0], "logits", target[:, :0], mask[:, :0])
    assert nothing is not None and nothing[0].loss == 0 and nothing[1].shape == (1, 0, 3)
