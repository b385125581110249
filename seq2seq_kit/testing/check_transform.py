"""Does a transform keep what :class:`seq2seq_kit.Transform` promises to the reader of training data?"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from seq2seq_kit.config import validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import EncodedExample, Example, SourceSpec, Task, Transform
from seq2seq_kit.tasks.translation import Translation, TranslationConfig
from seq2seq_kit.testing.check_task import EXAMPLES
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, NotChecked, Report

_SEEDS = range(12)
"""Of the generators that examples are changed with: what is drawn seldom is drawn once."""

Changed = tuple[Example | None, EncodedExample | None]
"""What became of an example: its text, and its ids."""


@dataclass(frozen=True)
class _Probe:
    """A transform with a task and its examples.

    Args:
        make: builds another transform for a task.
        fresh: the task as it is built.
        built: a transform that has seen nothing, made for a task that was then prepared, as training does.
    """

    make: Callable[[Task], Transform]
    fresh: Task
    built: tuple[Transform, Task]
    examples: Sequence[Example]

    def run(self, seed: int, examples: Sequence[Example] | None = None) -> list[Changed]:
        """What a new transform makes of examples, one after the other, each with a generator of its own."""
        transform, task = copy.deepcopy(self.built)
        given = self.examples if examples is None else examples
        return [change(transform, task, example, seed) for example in given]

    def every(self) -> Iterator[tuple[Example, int, Changed]]:
        """Each example with each seed, and what became of it."""
        for seed in _SEEDS:
            for example, changed in zip(self.examples, self.run(seed), strict=True):
                yield example, seed, changed


def change(transform: Transform, task: Task, example: Example, seed: int) -> Changed:
    """What a transform makes of a text, and then of its ids."""
    generator = np.random.default_rng([seed, int(example.id)])
    text = transform.on_text(copy.deepcopy(example), generator)
    if text is None:
        return None, None
    if not isinstance(text, Example):
        raise Fault(f"on_text gives a {type(text).__name__}; it must be an Example, or None to leave it out")
    [encoded] = task.encode([text])
    return text, transform.on_ids(encoded, text, generator)


def check_transform(
    make: Callable[[Task], Transform],
    task: Task | None = None,
    examples: Sequence[Example] = EXAMPLES,
    *,
    skip: Collection[str] = (),
) -> Report:
    """Check the contract of a transform.

    ::

        def test_my_transform_keeps_the_contract():
            check_transform(lambda task: MyTransform(MyConfig(), task))

    Args:
        make: builds one for a task; several are made.
        task: as it is built, neither prepared nor loaded; default: a translation with BPE. Copies of it are used.
        examples: training examples of the task, of unlike lengths, each with a number for its ``id``; default: short
            sentences.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable, or the transform refuses the task.
    """
    refuse_unknown(skip, TRANSFORM_CHECKS)
    task = copy.deepcopy(task) if task else translation()
    if len(examples) < 2 or any(type(example.id) is not int or example.target is None for example in examples):
        raise UserError("examples must be two or more, each with a target and a whole number for its id")
    fresh = copy.deepcopy(task)
    transform = make(task) if callable(make) else make
    if not isinstance(transform, Transform):
        raise UserError(f"check_transform is given what makes a {type(transform).__name__}; it checks a Transform")
    task.prepare(list(examples))
    probe = _Probe(make, fresh, (transform, task), list(examples))
    return run_checks(type(transform).__name__, TRANSFORM_CHECKS, probe, skip)


def _check_early(probe: _Probe) -> None:
    """Filters read texts before there are tokenizers."""
    transform = probe.make(copy.deepcopy(probe.fresh))
    for example in probe.examples:
        try:
            transform.on_text(copy.deepcopy(example), np.random.default_rng(0))
        except Exception as error:
            raise Fault(
                f"on_text fails while the task's tokenizers are not learnt yet ({type(error).__name__}: {error}); what "
                "needs ids belongs into on_ids"
            ) from None


def _check_types(probe: _Probe) -> None:
    task = probe.built[1]
    for example, _, (text, encoded) in probe.every():
        if text is None:
            continue
        if text.id != example.id:
            raise Fault(f"on_text gives example {example.id} the id {text.id!r}; ids must stay")
        for side in ("source", "target"):
            before, after = getattr(example, side), getattr(text, side)
            if not isinstance(after, str):
                raise Fault(f"on_text gives example {example.id} a {type(after).__name__} for its {side}, not a text")
            if before.strip() and not after.strip():
                raise Fault(
                    f"on_text leaves nothing of the {side} {before!r}; keep something, or give None for the whole "
                    "example where it is a filter"
                )
        try:
            json.dumps(text.extras)
        except (TypeError, ValueError) as error:
            raise Fault(
                f"on_text gives extras that are no JSON values ({error}); they are kept with the data"
            ) from None
        if encoded is not None:
            _check_encoded(encoded, example, task)


def _check_encoded(encoded: EncodedExample, example: Example, task: Task) -> None:
    if not isinstance(encoded, EncodedExample):
        raise Fault(f"on_ids gives a {type(encoded).__name__}; it must be an EncodedExample, or None to leave it out")
    if encoded.id != example.id:
        raise Fault(f"on_ids gives example {example.id} the id {encoded.id!r}; ids must stay")
    target = encoded.target
    if not target or target[-1] != task.target_spec.eos_id:
        raise Fault(f"on_ids gives the target {target}; it must end with eos_id = {task.target_spec.eos_id}")
    source = task.source_spec
    sides = [("target", target, task.target_spec.vocab_size)]
    if source is not None and source.vocab_size is not None:
        sides.append(("source", encoded.source, source.vocab_size))
    for side, ids, size in sides:
        if not isinstance(ids, list) or any(type(i) is not int for i in ids):
            raise Fault(f"on_ids gives {ids!r} for the {side}; it must be a list of whole numbers")
        outside = [i for i in ids if not 0 <= i < size]
        if outside:
            raise Fault(f"on_ids gives the id {outside[0]} in a {side}, whose vocabulary has {size}")
    if source is not None and encoded.source_length == 0:
        raise Fault(f"on_ids leaves nothing of the source of example {example.id}; keep something, or give None")
    if source is not None and source.feature_size is not None:
        frames = encoded.frames
        if frames is None or frames.ndim != 2 or frames.shape[1] != source.feature_size:
            found = "none" if frames is None else list(frames.shape)
            raise Fault(f"on_ids gives frames {found}; they must be [S, {source.feature_size}]")


def _check_in_place(probe: _Probe) -> None:
    transform, task = copy.deepcopy(probe.built)
    for example in probe.examples:
        given = copy.deepcopy(example)
        text = transform.on_text(given, np.random.default_rng(0))
        if given != example:
            raise Fault(
                "on_text changes the example that it is given; give back another one: dataclasses.replace(example, …)"
            )
        [encoded] = task.encode([text or example])
        before = copy.deepcopy(encoded)
        transform.on_ids(encoded, text or example, np.random.default_rng(0))
        if _plain(encoded) != _plain(before):
            raise Fault(
                "on_ids changes the ids that it is given, which are used again in the next epoch; give back others: "
                "dataclasses.replace(encoded, …)"
            )


def _check_generator(probe: _Probe) -> None:
    """All that is random comes from the generator."""
    for seed in _SEEDS:
        first = probe.run(seed)
        with _other_random_numbers():
            again = probe.run(seed)
        for example, one, other in zip(probe.examples, first, again, strict=True):
            if _compared(one) != _compared(other):
                raise Fault(
                    f"example {example.id} becomes something else with the same generator; draw from the generator "
                    "alone: a resumed run, and each of several processes, must make the same of it"
                )


def _check_alone(probe: _Probe) -> None:
    """An example becomes the same whatever came before it."""
    for seed in _SEEDS[:3]:
        for example, among in zip(probe.examples, probe.run(seed), strict=True):
            for before in ([], [example]):
                alone = probe.run(seed, [*before, example])[-1]
                if (alone[1] is None) != (among[1] is None):
                    raise NotChecked("it leaves out examples because of others: it is for data.filters alone")
                if _compared(alone) != _compared(among):
                    raise Fault(
                        f"example {example.id} becomes something else alone, or a second time, than among others; what "
                        "is made of it may depend on it and on the generator alone, as a resumed run has not seen the "
                        "others"
                    )


class WithFrames(Translation):
    """As a translation, but sources are frames, one a token."""

    def __init__(self, config: TranslationConfig) -> None:
        super().__init__(config)
        self.source_spec = SourceSpec(feature_size=4)

    def prepare(self, examples: Iterable[Example]) -> None:
        super().prepare(examples)
        self.source_spec = SourceSpec(feature_size=4)

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        found = super().encode(examples)
        frames = [np.random.default_rng(one.source).random((len(one.source), 4), np.float32) for one in found]
        return [replace(one, source=[], frames=own) for one, own in zip(found, frames, strict=True)]


def translation(cls: type[Translation] = Translation) -> Task:
    """A task that transforms can be made for, as it is built."""
    tokenizer = {"name": "bpe", "vocab_size": 80}
    return cls(
        validate(TranslationConfig, {"source_tokenizer": tokenizer, "target_tokenizer": tokenizer}, "translation")
    )


@contextmanager
def _other_random_numbers() -> Iterator[None]:
    """A context in which every generator but one's own has other numbers than outside."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        random.seed(12345)
        np.random.seed(12345)
        torch.manual_seed(12345)
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def _compared(changed: Changed) -> Any:
    text, encoded = changed
    return (None if text is None else (text.source, text.target, text.extras)), encoded and _plain(encoded)


def _plain(encoded: EncodedExample) -> Any:
    """An encoded example as something to compare."""
    frames = b"" if encoded.frames is None else encoded.frames.tobytes()
    return encoded.source, frames, encoded.target, encoded.id, encoded.extras


TRANSFORM_CHECKS = (
    Check("early", "texts are changed before tokenizers are learnt", _check_early),
    Check("types", "texts stay texts and ids ids of the vocabulary, none of them empty", _check_types, ("early",)),
    Check("in_place", "what it is given is not changed", _check_in_place, ("early",)),
    Check("generator", "all that is random is drawn from the generator that it is given", _check_generator, ("types",)),
    Check("alone", "what is made of an example does not depend on others", _check_alone, ("generator",)),
)
