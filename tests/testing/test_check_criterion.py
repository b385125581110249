"""The tester of criteria passes the built-in ones, and names each fault that is planted."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seq2seq_kit.config import Config, component_field, validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Criterion, CriterionOutput, TargetSpec
from seq2seq_kit.registry import build
from seq2seq_kit.testing import ContractError, check_criterion

TARGET = TargetSpec(vocab_size=11)


class Sound(Criterion):
    """Cross-entropy."""

    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        log_probs = scores.log_softmax(-1) if kind == "logits" else scores
        nll = -log_probs.gather(2, target.unsqueeze(2)).squeeze(2)[mask].sum()
        correct = (scores.argmax(-1) == target)[mask].sum()
        return CriterionOutput(nll, nll.detach(), correct, int(mask.sum()))


class Means(Sound):
    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        output = super().forward(scores, kind, target, mask)
        return replace(output, loss=output.loss / output.tokens)


class CountsPadding(Sound):
    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        output = super().forward(scores, kind, target, mask)
        return replace(output, loss=output.loss + scores[~mask].square().sum())


class CountsAllTokens(Sound):
    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        return replace(super().forward(scores, kind, target, mask), tokens=mask.numel())


class NormalisesTwice(Sound):
    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        return super().forward(scores if kind == "logits" else scores * 2, "logits", target, mask)


class Detached(Sound):
    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        return super().forward(scores.detach(), kind, target, mask)


class Attached(Sound):
    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        output = super().forward(scores, kind, target, mask)
        return replace(output, nll=output.loss)


class ReportsItsLoss(Sound):
    def forward(self, scores: Tensor, kind: str, target: Tensor, mask: Tensor) -> CriterionOutput:
        output = super().forward(scores, kind, target, mask)
        return replace(output, loss=2 * output.loss, nll=2 * output.nll)


class WrongGradient(Sound):
    def gradient(self, scores: Tensor, kind: Any, target: Tensor, mask: Tensor) -> Any:
        return self.forward(scores, kind, target, mask), scores.softmax(-1)


PLANTED: dict[type[Sound], tuple[str, str]] = {
    Means: ("parts", "loss of two parts is .* so return sums, not means"),
    CountsPadding: ("mask", "positions that mask does not count change the loss"),
    CountsAllTokens: ("sums", "tokens is 12; 10 positions are counted"),
    NormalisesTwice: ("kinds", "heed kind"),
    Detached: ("sums", "loss has no gradient"),
    Attached: ("sums", "nll and correct must be detached"),
    ReportsItsLoss: ("sums", r"nll is .*; the sum of -log p\(label\) over counted positions is"),
    WrongGradient: ("gradient", "gradient is up to .* from that of forward's loss"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Sound]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_criterion(planted())
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


class _Section(Config):
    criterion: component_field("criterion")  # type: ignore[valid-type]


SMOOTHED = {"name": "cross_entropy", "label_smoothing": 0.1}


@pytest.mark.parametrize("section", ["cross_entropy", SMOOTHED, "r_drop"], ids=str)
def test_built_in_criteria_keep_the_contract(section: object) -> None:
    criterion = build("criterion", validate(_Section, {"criterion": section}, "test").criterion, TARGET)
    assert {finding.verdict for finding in check_criterion(criterion, TARGET).findings} == {"ok"}


def test_the_criterion_to_plant_faults_in_is_sound() -> None:
    assert [f.check for f in check_criterion(Sound()).findings if f.verdict != "ok"] == ["gradient"]
    assert torch.is_grad_enabled()


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a Linear; it checks a seq2seq_kit.Criterion"):
        check_criterion(nn.Linear(2, 2))  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no check 'sum' to skip; there are sums, "):
        check_criterion(Sound(), skip=["sum"])
