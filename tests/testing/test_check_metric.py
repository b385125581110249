"""The tester of metrics passes every built-in one, and names each fault that is planted."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_kit.config import ComponentConfig, validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.registry import build, registry
from seq2seq_kit.testing import ContractError, check_metric

References = Sequence[Sequence[str]]


class Sound(Metric):
    """Outputs equal to a reference, in percent."""

    def __call__(self, outputs: Sequence[str], references: References) -> float:
        right = [output in own for output, own in zip(outputs, references, strict=True)]
        return 100 * sum(right) / len(right)


class WrongWay(Sound):
    higher_is_better = False


class NotANumber(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        return super().__call__(outputs, references) if any(outputs) else float("nan")


class DividesByZero(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        return super().__call__(outputs, references) / sum(map(len, outputs))


class GivesTensors(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> Any:
        return torch.tensor(super().__call__(outputs, references))


class GivesEach(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> Any:
        return [float(output in own) for output, own in zip(outputs, references, strict=True)]


class AddsUp(Sound):
    def __init__(self) -> None:
        self.right: list[bool] = []

    def __call__(self, outputs: Sequence[str], references: References) -> float:
        self.right += [output in own for output, own in zip(outputs, references, strict=True)]
        return 100 * sum(self.right) / len(self.right)


class Draws(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        return super().__call__(outputs, references) + random.random()


class Sorts(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        score = super().__call__(outputs, references)
        outputs.sort()  # type: ignore[attr-defined]
        return score


class Pops(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        score = super().__call__(outputs, references)
        references[1].pop()  # type: ignore[attr-defined]
        return score


class FirstReference(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        return super().__call__(outputs, [own[:1] for own in references])


class FirstOutputs(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        weights = [1 / (1 + i) for i in range(len(outputs))]
        right = [w * (output in own) for w, output, own in zip(weights, outputs, references, strict=True)]
        return 100 * sum(right) / sum(weights)


class HalfIsWorst(Sound):
    def __call__(self, outputs: Sequence[str], references: References) -> float:
        score = super().__call__(outputs, references)
        return -1.0 if score == 50 else score


class NoSignature(Sound):
    def signature(self) -> Any:
        return None


class OtherStatistics(Sound):
    """Sums that make another score."""

    def statistics(self, outputs: Sequence[str], references: References) -> Any:
        return np.array([(output in own, 2) for output, own in zip(outputs, references, strict=True)], dtype=float)

    def combine(self, total: Any) -> float:
        return float(100 * total[0] / total[1])


class OneRow(OtherStatistics):
    def statistics(self, outputs: Sequence[str], references: References) -> Any:
        return super().statistics(outputs, references).sum(0)


class NoCombine(Sound):
    def statistics(self, outputs: Sequence[str], references: References) -> Any:
        return np.ones((len(outputs), 1))


class OneSentenceScore(Sound):
    def sentence_scores(self, outputs: Sequence[str], references: References) -> list[float]:
        return [self(outputs, references)]


PLANTED: dict[type[Sound], tuple[str, str]] = {
    WrongWay: ("direction", "correct outputs score 100 and wrong ones 0, but higher_is_better is False: .* to True"),
    NotANumber: ("number", "the score of empty outputs is nan"),
    DividesByZero: ("number", "ZeroDivisionError in __call__"),
    GivesTensors: ("number", "a Tensor; it must be a float"),
    GivesEach: ("number", "a list; it must be a float"),
    AddsUp: ("kept", "nothing may be kept between calls"),
    Draws: ("kept", "nothing drawn"),
    Sorts: ("in_place|order", "the list of outputs that it is given is another one"),
    Pops: ("number|in_place", "IndexError|the list of references"),
    FirstReference: ("order", "with the references of each output in the opposite order"),
    FirstOutputs: ("order", "with its sentences in the opposite order"),
    HalfIsWorst: ("direction", "outputs score 100 if all are correct, -1 if half of them are, and 0 if none is"),
    NoSignature: ("signature", "signature gives None; it must be a line of text"),
    OtherStatistics: ("statistics", "combine makes 2[05] of the sum of .* rows of statistics, but their outputs score"),
    OneRow: ("statistics", r"have the shape \[2\]; they must be \[N, D\], a row each"),
    NoCombine: ("statistics", "NotImplementedError in combine"),
    OneSentenceScore: ("statistics", "sentence_scores gives 1 scores of"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Sound]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_metric(planted())
    fault = caught.value.report.faults[0]
    assert fault.check in check.split("|"), str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


@pytest.mark.parametrize("name", [p.component.name for p in registry().provided("metric")])
def test_built_in_metrics_keep_the_contract(name: str) -> None:
    found = registry().find("metric", f"seq2seq-kit/{name}")
    metric = build("metric", validate(found.load_config() or ComponentConfig, {"name": name}, "test"))
    unchecked = [f.check for f in check_metric(metric).findings if f.verdict != "ok"]
    assert unchecked == (["direction"] if name in ("distinct1", "distinct2", "length") else [])


def test_the_metric_to_plant_faults_in_is_sound() -> None:
    assert {finding.verdict for finding in check_metric(Sound()).findings} == {"ok"}


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a str; it checks a seq2seq_kit.Metric"):
        check_metric("bleu")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="three or more, no two of them alike"):
        check_metric(Sound(), ["a", "b", "a"])
    with pytest.raises(UserError, match="no check 'numbers' to skip; there are number, "):
        check_metric(Sound(), skip=["numbers"])
