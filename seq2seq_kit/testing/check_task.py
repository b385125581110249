"""Does a task keep what :class:`seq2seq_kit.Task` promises to training, search and evaluation?"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch, EncodedExample, Example, Metric, Output, SourceSpec, TargetSpec, Task
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, NotChecked, Report
from seq2seq_kit.testing.texts import TEXTS, refuse_pickles, same_text

EXAMPLES = tuple(Example(text, text[::-1], id=i) for i, text in enumerate(TEXTS))
"""Sentences, and the same ones spelt backwards: the two sides have other words."""


@dataclass(frozen=True)
class _Probe:
    """A task as it is built, the same one prepared, and examples with targets."""

    fresh: Task
    prepared: Task
    examples: Sequence[Example]

    def encoded(self) -> list[EncodedExample]:
        return self.prepared.encode(self.examples)

    def hypothesis(self, encoded: EncodedExample) -> Hypothesis:
        """What a search that writes the target would give."""
        assert encoded.target is not None
        tokens = encoded.target[len(self.prepared.target_prefix) :]
        return Hypothesis(tokens, -1.0, -float(len(tokens)), [-1.0] * len(tokens))


def check_task(task: Task, examples: Sequence[Example] = EXAMPLES, *, skip: Collection[str] = ()) -> Report:
    """Check the contract of a task.

    ::

        def test_my_task_keeps_the_contract():
            check_task(MyTask(MyConfig()))

    It works on copies: the task itself stays unprepared. ``read``, which knows the format of the files, is not checked.

    Args:
        task: as it is built, neither prepared nor loaded.
        examples: three or more, with targets, of unlike lengths; default: short sentences, and the same ones
            spelt backwards. What is decoded from a target's ids must be that target, but for case, Unicode's
            composition and the amount of white space.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable, or the task cannot be prepared with the examples.
    """
    if not isinstance(task, Task):
        raise UserError(f"check_task is given a {type(task).__name__}; it checks a seq2seq_kit.Task")
    if len(examples) < 3 or any(example.target is None for example in examples):
        raise UserError("examples must be three or more, each with a target")
    refuse_unknown(skip, TASK_CHECKS)
    probe = _Probe(copy.deepcopy(task), copy.deepcopy(task), list(examples))
    return run_checks(type(task).__name__, TASK_CHECKS, probe, skip)


def _check_prepare(probe: _Probe) -> None:
    probe.prepared.prepare(list(probe.examples))
    source, target = getattr(probe.prepared, "source_spec", ...), getattr(probe.prepared, "target_spec", ...)
    if source is not None and not isinstance(source, SourceSpec):
        raise Fault("prepare sets no source_spec; it must be a SourceSpec, or None where there is no source")
    if source is not None and (source.vocab_size is None) == (source.feature_size is None):
        raise Fault("source_spec has vocab_size and feature_size; a source is ids or frames: give one of the two")
    if not isinstance(target, TargetSpec) or target.vocab_size < 1:
        raise Fault("prepare sets no target_spec; it must be a TargetSpec with the size of the target's vocabulary")
    for side, tokenizer in probe.prepared.tokenizers().items():
        spec = {"source": source, "target": target}.get(side)
        if spec is not None and spec.vocab_size not in (None, tokenizer.vocab_size):
            raise Fault(
                f"{side}_spec.vocab_size is {spec.vocab_size}, but the {side} tokenizer has {tokenizer.vocab_size} ids"
            )


def _check_encode(probe: _Probe) -> None:
    encoded, target = probe.encoded(), probe.prepared.target_spec
    if len(encoded) != len(probe.examples) or not all(isinstance(one, EncodedExample) for one in encoded):
        raise Fault(f"encode gives {len(encoded)} entries for {len(probe.examples)} examples; one EncodedExample each")
    for example, one in zip(probe.examples, encoded, strict=True):
        if one.target is None or not one.target or one.target[-1] != target.eos_id:
            raise Fault(
                f"the target of example {example.id} is {one.target}; it must end with eos_id = {target.eos_id}"
            )
        if target.eos_id in one.target[:-1] or target.pad_id in one.target:
            raise Fault(f"the target of example {example.id} has EOS or padding before its end: {one.target}")
        own = probe.prepared.collate([one]).extras["own_words"].shape[1] if probe.prepared.copies else 0
        outside = [i for i in one.target if not 0 <= i < target.vocab_size + own]
        if outside:
            raise Fault(f"the target of example {example.id} has id {outside[0]} of {target.vocab_size}")
        source = probe.prepared.source_spec
        if source is not None and source.vocab_size is not None:
            outside = [i for i in one.source if not 0 <= i < source.vocab_size]
            if outside:
                raise Fault(f"the source of example {example.id} has id {outside[0]} of {source.vocab_size}")
        if one.id != example.id:
            raise Fault(f"encode gives example {example.id!r} the id {one.id!r}; ids must stay")
    without = probe.prepared.encode([replace(example, target=None) for example in probe.examples])
    if any(one.target is not None for one in without):
        raise Fault("an example without a target is encoded with one; its target must be None, as it is in decoding")


def _check_alone(probe: _Probe) -> None:
    for example, expected in zip(probe.examples, probe.encoded(), strict=True):
        [alone] = probe.prepared.encode([example])
        if _ids(alone) != _ids(expected):
            raise Fault(f"example {example.id} is encoded in another way alone than among others, or a second time")


def _check_collate(probe: _Probe) -> None:
    encoded = probe.encoded()
    batch = probe.prepared.collate(encoded)
    if not isinstance(batch, Batch):
        raise Fault(f"collate gives a {type(batch).__name__}, not a Batch")
    if batch.source.shape[0] != len(encoded) or batch.source_mask.shape != batch.source.shape[:2]:
        raise Fault(
            f"batch.source has shape {list(batch.source.shape)} and batch.source_mask {list(batch.source_mask.shape)}; "
            f"they must be [B, S] (or [B, S, F]) and [B, S], with B = {len(encoded)}"
        )
    if batch.target is None or batch.target_mask is None:
        raise Fault("every example has a target, but the batch has none (or no target_mask)")
    spec = probe.prepared.target_spec
    lengths = [len(one.target or ()) for one in encoded]
    for name, mask in (("source_mask", batch.source_mask), ("target_mask", batch.target_mask)):
        if mask.dtype != torch.bool:
            raise Fault(f"batch.{name} is {mask.dtype}; it must be bool, True = real")
        if bool((mask[:, 1:] & ~mask[:, :-1]).any()):
            raise Fault(f"batch.{name} has a real position after padding; sequences are right-padded")
    if batch.target_mask.sum(1).tolist() != lengths:
        raise Fault(f"batch.target_mask has {batch.target_mask.sum(1).tolist()} real positions of {lengths}")
    if bool((batch.target[~batch.target_mask] != spec.pad_id).any()):
        raise Fault(f"the padding of batch.target is not pad_id = {spec.pad_id}")
    for b, one in enumerate(encoded):
        if batch.target[b][batch.target_mask[b]].tolist() != one.target:
            raise Fault(f"row {b} of batch.target is not the target of example {one.id}")
    if batch.ids != [one.id for one in encoded]:
        raise Fault("batch.ids are not the ids of the examples, in their order")
    for name, x in batch.extras.items():
        if x.shape[:1] != (len(encoded),):
            raise Fault(
                f"batch.extras[{name!r}] has shape {list(x.shape)}; it must be [B, ...], with B = {len(encoded)}"
            )


def _check_padding(probe: _Probe) -> None:
    """An example is the same in a batch of its own."""
    encoded = probe.encoded()
    batch = probe.prepared.collate(encoded)
    for b, one in enumerate(encoded):
        alone = probe.prepared.collate([one])
        if not torch.equal(alone.source[0][alone.source_mask[0]], batch.source[b][batch.source_mask[b]]):
            raise Fault(f"example {one.id} has another source in a batch of its own; only padding may differ")
    without = probe.prepared.collate([replace(one, target=None) for one in encoded])
    if without.target is not None:
        raise Fault("a batch of examples without targets has a target; it must be None, as it is in decoding")


def _check_copies(probe: _Probe) -> None:
    """What can be copied is said of each source position, and is alike alone and in a batch."""
    if not probe.prepared.copies:  # it promises nothing
        return
    encoded, known = probe.encoded(), probe.prepared.target_spec.vocab_size
    batch = probe.prepared.collate(encoded)
    copies, own_words = batch.extras["copies"], batch.extras["own_words"]
    if copies.shape != batch.source_mask.shape or own_words.shape[0] != len(encoded) or own_words.dtype != torch.bool:
        raise Fault(
            f"copies has shape {list(copies.shape)}, and own_words {list(own_words.shape)} is {own_words.dtype}; they "
            f"must be [B, S] = {list(batch.source_mask.shape)} and [B, N] bool"
        )
    for b, one in enumerate(encoded):
        alone, found = probe.prepared.collate([one]), copies[b][batch.source_mask[b]]
        own = set((known + own_words[b].nonzero().flatten()).tolist())
        strange = {i for i in found.tolist() if not -1 <= i < known} ^ own
        if strange:
            raise Fault(f"of example {one.id}, id {min(strange)} is either in copies or in own_words, not in both")
        if not torch.equal(found, alone.extras["copies"][0]):
            raise Fault(f"example {one.id} has other words to copy in a batch of its own")
        if one.target is not None and {i for i in one.target if i >= known} - own:
            raise Fault(f"the target of example {one.id} has a word of the source's own that is not in own_words")


def _check_decode(probe: _Probe) -> None:
    for example, encoded in zip(probe.examples, probe.encoded(), strict=True):
        hypothesis = probe.hypothesis(encoded)
        output = probe.prepared.decode(example, [hypothesis, replace(hypothesis, score=-2.0)])
        if not isinstance(output, Output):
            raise Fault(f"decode gives a {type(output).__name__}, not an Output")
        if not same_text(output.text, example.target or ""):
            raise Fault(f"decode makes {output.text!r} of the ids of the target {example.target!r}")
        if output.score != hypothesis.score:
            raise Fault(f"decode gives the score {output.score} to a hypothesis of score {hypothesis.score}")
        if len(output.alternatives) != 1:
            raise Fault(f"decode gives {len(output.alternatives)} alternatives beside the best of 2 hypotheses")


def _check_nothing(probe: _Probe) -> None:
    output = probe.prepared.decode(probe.examples[0], [])
    if output.text or output.score != float("-inf"):
        raise Fault(
            f"where the search finds nothing, decode gives {output.text!r} with the score {output.score}; it must be "
            "an empty text with -inf"
        )


def _check_metrics(probe: _Probe) -> None:
    metrics = probe.prepared.metrics()
    if not metrics:
        raise NotChecked("it has no metrics")
    right = [example.target or "" for example in probe.examples]
    wrong = right[1:] + right[:1]
    references = [[text] for text in right]
    for name, metric in metrics.items():
        if not isinstance(metric, Metric):
            raise Fault(f"metrics() has a {type(metric).__name__} as {name!r}, not a Metric")
        found, other = metric(right, references), metric(wrong, references)
        gain = found - other if metric.higher_is_better else other - found
        if gain < 0 or (gain == 0 and name == next(iter(metrics))):  # others may not look at references
            which = "higher" if metric.higher_is_better else "lower"
            raise Fault(f"{name} is {found:g} for correct outputs and {other:g} for wrong ones, but {which} is better")


def _check_save(probe: _Probe) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        probe.prepared.save(folder)
        for path in folder.rglob("*"):
            if path.is_file():
                refuse_pickles(path)
        loaded = copy.deepcopy(probe.fresh)
        loaded.load(folder)
    for spec in ("source_spec", "target_spec"):
        found, expected = getattr(loaded, spec, ...), getattr(probe.prepared, spec)
        if found != expected:
            raise Fault(f"loaded, {spec} is {found} in place of {expected}")
    if [_ids(one) for one in loaded.encode(probe.examples)] != [_ids(one) for one in probe.encoded()]:
        raise Fault("saved and loaded, it encodes an example in another way; save must keep all that prepare learns")


def _ids(encoded: EncodedExample) -> tuple[list[int], bytes, list[int] | None]:
    """What an encoded example holds, as something to compare."""
    frames = b"" if encoded.frames is None else encoded.frames.tobytes()
    return encoded.source, frames, encoded.target


TASK_CHECKS = (
    Check("prepare", "it learns from examples and knows the sizes of both sides", _check_prepare),
    Check("encode", "targets are ids of the vocabulary that end with EOS", _check_encode, ("prepare",)),
    Check("alone", "an example is encoded alike alone and among others", _check_alone, ("encode",)),
    Check("collate", "a batch is padded to the right, with masks", _check_collate, ("encode",)),
    Check("padding", "an example is the same in every batch", _check_padding, ("collate",)),
    Check("copies", "what can be copied are words of the vocabulary or the source's own", _check_copies, ("collate",)),
    Check("decode", "the ids of a target are decoded to its text", _check_decode, ("encode",)),
    Check("nothing", "no hypothesis at all is an empty output", _check_nothing, ("decode",)),
    Check("metrics", "correct outputs score better than wrong ones", _check_metrics, ("prepare",)),
    Check("save", "saved and loaded, it encodes the same", _check_save, ("encode",)),
)
