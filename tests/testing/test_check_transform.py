"""The tester of transforms passes every built-in one, and names each fault that is planted."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from seq2seq_kit.config import ComponentConfig, validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform
from seq2seq_kit.registry import build, registry
from seq2seq_kit.testing import ContractError, check_transform
from seq2seq_kit.testing.check_transform import WithFrames, translation


class Sound(Transform):
    """Drops the last word of a source, and hides the first token of it, now and then."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        words = example.source.split()
        return replace(example, source=" ".join(words[:-1])) if len(words) > 1 and generator.random() < 0.5 else example

    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        return replace(encoded, source=[3, *encoded.source[1:]]) if generator.random() < 0.5 else encoded


class EmptiesSources(Sound):
    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        kept = [word for word in example.source.split() if generator.random() > 0.3]
        return replace(example, source=" ".join(kept))


class Renumbers(Sound):
    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        return replace(example, id=None)


class GivesText(Sound):
    def on_text(self, example: Example, generator: np.random.Generator) -> Any:
        return example.source


class KeepsAnArray(Sound):
    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        return replace(example, extras={"drawn": np.float32(0.5)})


class WritesText(Sound):
    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        example.source = example.source.lower() + "."
        return example


class WritesIds(Sound):
    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        encoded.source[0] = 3
        return encoded


class DrawsElsewhere(Sound):
    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        return replace(example, source=example.source + " again" * (random.random() < 0.5))


class DrawsFromNumpy(Sound):
    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        return replace(encoded, source=[3] * (np.random.random() < 0.5) + encoded.source)


class DrawsFromTorch(Sound):
    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        return replace(encoded, source=[3] * int(torch.rand(()) < 0.5) + encoded.source)


class RemembersTheLast(Sound):
    last = ""

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        before, self.last = self.last, example.source
        return replace(example, source=f"{before} {example.source}")


class DropsTheEnd(Sound):
    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        return replace(encoded, target=(encoded.target or [])[:-1])


class OutOfTheVocabulary(Sound):
    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        return replace(encoded, source=[100_000, *encoded.source])


class GivesAnArray(Sound):
    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        return replace(encoded, source=np.array(encoded.source))


class NoSource(Sound):
    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        return replace(encoded, source=[])


class TooEarly(Sound):
    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        self.task.encode([example])
        return example


PLANTED: dict[type[Sound], tuple[str, str]] = {
    EmptiesSources: ("types", "on_text leaves nothing of the source '.*'; keep something"),
    Renumbers: ("types", "on_text gives example 0 the id None; ids must stay"),
    GivesText: ("types", "on_text gives a str; it must be an Example, or None"),
    KeepsAnArray: ("types", "extras that are no JSON values"),
    WritesText: ("in_place", r"on_text changes the example .* dataclasses\.replace\(example, …\)"),
    WritesIds: ("in_place", r"on_ids changes the ids .* dataclasses\.replace\(encoded, …\)"),
    DrawsElsewhere: ("generator", "becomes something else with the same generator; draw from the generator alone"),
    DrawsFromNumpy: ("generator", "becomes something else with the same generator; draw from the generator alone"),
    DrawsFromTorch: ("generator", "becomes something else with the same generator; draw from the generator alone"),
    RemembersTheLast: ("alone", "becomes something else alone, or a second time, than among others"),
    DropsTheEnd: ("types", "on_ids gives the target .*; it must end with eos_id = 2"),
    OutOfTheVocabulary: ("types", "on_ids gives the id 100000 in a source, whose vocabulary has"),
    GivesAnArray: ("types", "for the source; it must be a list of whole numbers"),
    NoSource: ("types", "on_ids leaves nothing of the source of example 0"),
    TooEarly: ("early", "on_text fails while the task's tokenizers are not learnt yet"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Sound]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_transform(planted)
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


EXTRA = {"length": {"max": 4}, "ratio": {"max": 1.1}, "word_dropout": {"rate": 0.5}, "bpe_dropout": {"rate": 0.5}}


@pytest.mark.parametrize(
    "name", [p.component.name for p in registry().provided("transform") if p.component.name != "field"]
)
def test_built_in_transforms_keep_the_contract(name: str) -> None:
    found = registry().find("transform", f"seq2seq-kit/{name}")
    config = validate(found.load_config() or ComponentConfig, {"name": name, **EXTRA.get(name, {})}, "test")
    report = check_transform(lambda task: build("transform", config, task))
    unchecked = {f.check: f.detail for f in report.findings if f.verdict != "ok"}
    filters_by_others = {"alone": "it leaves out examples because of others: it is for data.filters alone"}
    assert unchecked == (filters_by_others if name == "duplicates" else {})


def test_the_transform_to_plant_faults_in_is_sound() -> None:
    assert {finding.verdict for finding in check_transform(Sound).findings} == {"ok"}


class Blanks(Transform):
    """Puts 0 in the place of a feature of every frame."""

    def on_ids(self, encoded: EncodedExample, example: Example, generator: np.random.Generator) -> Any:
        assert encoded.frames is not None
        frames = encoded.frames if self.in_place else encoded.frames.copy()
        frames[:, generator.integers(4)] = 0
        return replace(encoded, frames=frames[:, : self.width])

    in_place, width = False, 4


def test_frames_are_checked_too() -> None:
    task = translation(WithFrames)
    assert {finding.verdict for finding in check_transform(lambda task: Blanks(), task).findings} == {"ok"}
    for fault, check, sentence in (
        ({"in_place": True}, "in_place", "on_ids changes the ids that it is given"),
        ({"width": 3}, "types", r"on_ids gives frames \[\d+, 3\]; they must be \[S, 4\]"),
    ):
        planted = type("Planted", (Blanks,), fault)
        with pytest.raises(ContractError) as caught:
            check_transform(lambda task: planted(), task)  # noqa: B023
        assert re.search(sentence, next(f.detail for f in caught.value.report.faults if f.check == check))


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given what makes a str; it checks a Transform"):
        check_transform(lambda task: "noise")  # type: ignore[arg-type, return-value]
    with pytest.raises(UserError, match="two or more, each with a target and a whole number"):
        check_transform(Sound, examples=[Example("a", "b", id=0)])
    with pytest.raises(UserError, match="no check 'late' to skip; there are early, "):
        check_transform(Sound, skip=["late"])
