"""The tester of tasks passes the built-in ones, and names each fault that is planted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seq2seq_kit.config import Config, component_field, validate
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch, EncodedExample, Example, Metric, Output, Task
from seq2seq_kit.registry import build
from seq2seq_kit.tasks.translation import Translation, TranslationConfig
from seq2seq_kit.testing import ContractError, check_task


class WithoutEOS(Translation):
    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        return [replace(one, target=one.target and one.target[:-1]) for one in super().encode(examples)]


class InventsTargets(Translation):
    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        return [replace(one, target=one.target or [2]) for one in super().encode(examples)]


class ForgetsIds(Translation):
    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        return [replace(one, id=None) for one in super().encode(examples)]


class EncodesByPlace(Translation):
    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        return [replace(one, source=one.source[: 2 + i]) for i, one in enumerate(super().encode(examples))]


class PadsOnTheLeft(Translation):
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        batch = super().collate(examples)
        return replace(batch, source=batch.source.flip(1), source_mask=batch.source_mask.flip(1))


class PadsWithOnes(Translation):
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        batch = super().collate(examples)
        if batch.target is not None and batch.target_mask is not None:
            batch.target = batch.target.masked_fill(~batch.target_mask, 1)
        return batch


class CutsTargets(Translation):
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        return super().collate([replace(one, target=one.target and one.target[-3:]) for one in examples])


class SortsTheBatch(Translation):
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        return super().collate(sorted(examples, key=lambda one: len(one.source)))


class ScalesByTheBatch(Translation):
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        batch = super().collate(examples)
        return replace(batch, source=(batch.source + len(examples)) * batch.source_mask)


class ShowsTheEnd(Translation):
    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        output = super().decode(example, hypotheses)
        return replace(output, text=f"{output.text} </s>") if hypotheses else output


class BestOnly(Translation):
    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        return super().decode(example, hypotheses[:1])


class NeedsAHypothesis(Translation):
    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        assert hypotheses[0] is not None
        return super().decode(example, hypotheses)


class Upside(Metric):
    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        return float(sum(output != one[0] for output, one in zip(outputs, references, strict=True)))


class MeasuresUpsideDown(Translation):
    def metrics(self) -> dict[str, Metric]:
        return {"upside": Upside()}


class ForgetsTheTarget(Translation):
    def load(self, directory: Path) -> None:
        self.source_tokenizer.load(directory / "source.json")
        self.target_tokenizer.load(directory / "source.json")
        self._set_specs()


class WrongSize(Translation):
    def prepare(self, examples: Iterable[Example]) -> None:
        super().prepare(examples)
        self.target_spec = replace(self.target_spec, vocab_size=7)


PLANTED: dict[Callable[..., Task], tuple[str, str]] = {
    WrongSize: ("prepare", r"target_spec.vocab_size is 7, but the target tokenizer has \d+ ids"),
    WithoutEOS: ("encode", "the target of example 0 is .* it must end with eos_id = 2"),
    InventsTargets: ("encode", "an example without a target is encoded with one"),
    ForgetsIds: ("encode", "encode gives example 0 the id None"),
    EncodesByPlace: ("alone", "is encoded in another way alone than among others"),
    PadsOnTheLeft: ("collate", "batch.source_mask has a real position after padding"),
    PadsWithOnes: ("collate", "the padding of batch.target is not pad_id = 0"),
    CutsTargets: ("collate", r"batch.target_mask has \[3, 3, .*real positions of \[4, "),
    SortsTheBatch: ("collate", "batch.target_mask has|row 0 of batch.target is not the target of example 0"),
    ScalesByTheBatch: ("padding", "example 0 has another source in a batch of its own"),
    ShowsTheEnd: ("decode", "decode makes 'eerht owt eno </s>' of the ids of the target 'eerht owt eno'"),
    BestOnly: ("decode", "decode gives 0 alternatives beside the best of 2"),
    NeedsAHypothesis: ("nothing", "IndexError in decode"),
    MeasuresUpsideDown: ("metrics", "upside is 0 for correct outputs and 6 for wrong ones, but higher is better"),
    ForgetsTheTarget: ("save", "saved and loaded, it encodes an example in another way"),
}


def _planted(cls: Callable[..., Task]) -> Task:
    return cls(validate(TranslationConfig, {"source_tokenizer": "word"}, "test"))


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: Callable[..., Task]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_task(_planted(planted))
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


class _Section(Config):
    task: component_field("task")  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("section", "unchecked"),
    [
        ({"name": "translation", "source_tokenizer": "word"}, set()),
        ({"name": "translation", "shared_tokenizer": True, "metrics": ["wer", "exact"]}, set()),
        ("language_model", {"metrics"}),
    ],
    ids=str,
)
def test_built_in_tasks_keep_the_contract(section: Any, unchecked: set[str]) -> None:
    task: Task = build("task", validate(_Section, {"task": section}, "test").task)
    report = check_task(task)
    assert {finding.check for finding in report.findings if finding.verdict != "ok"} == unchecked
    assert not hasattr(task, "target_spec")  # a copy was prepared


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a str; it checks a seq2seq_kit.Task"):
        check_task("translation")
    with pytest.raises(UserError, match="three or more, each with a target"):
        check_task(_planted(Translation), [Example("a")] * 4)
    with pytest.raises(UserError, match="no check 'read' to skip; there are prepare, "):
        check_task(_planted(Translation), skip=["read"])
