"""Examples in, outputs out, in order: encodes in batches of like length and lets the engine search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch

from seq2seq_kit.decoding.ensemble import Combination, Ensemble, Member
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import Cancellation, search, with_seed
from seq2seq_kit.decoding.stepper import Stepper, begin
from seq2seq_kit.decoding.text_inputs import sentence_inputs
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import EncodedExample, Example, Output, Precision, Processor, Task
from seq2seq_kit.model import Model

BATCHES_A_WINDOW = 16
"""Batches read ahead, so that sentences of like length can be decoded together."""


@dataclass(frozen=True)
class System:
    """A model and the task that it was trained for; with others of the same target vocabulary, an ensemble."""

    model: Model
    task: Task
    weight: float = 1.0
    """In an ensemble."""


@dataclass(frozen=True)
class Decoding:
    """What decodes: one system, or several as an ensemble, in which the first makes the outputs."""

    systems: Sequence[System]
    options: SearchOptions
    device: torch.device | str = "cpu"
    combination: Combination = "linear"
    processors: Sequence[Processor] = ()
    stepper: Stepper = "auto"
    precision: Precision = "fp32"

    @torch.inference_mode()
    def batch(
        self,
        encoded: Sequence[Sequence[EncodedExample]],
        sentences: Sequence[SentenceInput],
        on_tokens: Callable[[int, list[int]], None] | None = None,
        cancellation: Cancellation | None = None,
    ) -> list[list[Hypothesis]]:
        """Encode one batch and search it: the n-best of each sentence. ``encoded``: for each system, its examples."""
        members, memories = [], []
        for system, own in zip(self.systems, encoded, strict=True):
            batch = system.task.collate(own).to(self.device)
            memory = system.model.encode(batch)
            step, state = begin(system.model.decoder, memory, len(batch), self.stepper, self.precision)
            members.append(Member(step, state, system.weight))
            memories.append(memory)
        alone = members[0]
        found = search(
            alone.step if len(members) == 1 else Ensemble(members, self.combination),
            alone.state if len(members) == 1 else None,
            self.options,
            sentences=sentences,
            memory=memories[0],
            processors=self.processors,
            on_tokens=on_tokens,
            cancellation=cancellation,
        )
        if memories[0] is None:
            return found
        return [
            [_without_padding(hypothesis, length) for hypothesis in hypotheses]
            for hypotheses, length in zip(found, memories[0].mask.sum(1).tolist(), strict=True)
        ]


def generate(
    model: Model,
    task: Task,
    examples: Iterable[Example],
    options: SearchOptions,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 32,
    window: int | None = None,
    progress: Callable[[int], None] | None = None,
    weight: float = 1.0,
    partners: Sequence[System] = (),
    combination: Combination = "linear",
    processors: Sequence[Processor] = (),
    stepper: Stepper = "auto",
    precision: Precision = "fp32",
    replace_unknown: Mapping[str, str] | None = None,
    align: bool = False,
) -> Iterator[Output]:
    """Decode a stream of examples and yield one output each, in input order.

    Samples are those of an example's place in the stream: they do not depend on ``batch_size`` or ``window``.

    Args:
        examples: what their ``extras`` may ask of the outputs: see :data:`seq2seq_kit.decoding.text_inputs.WISHES`.
        options: how to search; the special ids are the task's own.
        batch_size: sentences a batch.
        window: examples read before the first is answered (default ``16 * batch_size``; 1 answers line by line).
        progress: called with the number of examples just done.
        weight: of ``model`` among its partners.
        partners: further systems of an ensemble.
        combination: how an ensemble's scores become one; see :class:`~seq2seq_kit.decoding.ensemble.Ensemble`.
        processors: applied in order after the built-in options.
        stepper: the decoders' Python steps, or native ones; see :data:`seq2seq_kit.decoding.stepper.Stepper`.
        precision: of native steppers.
        replace_unknown: write source words in the place of unknown ones, translated by this dictionary where it has
            them; see :func:`seq2seq_kit.decoding.copying.replace_unknown`.
        align: say which words of the source the words of the outputs come from, in ``facts["word_alignment"]``.
    """
    systems = [System(model, task, weight), *partners]
    decoding = Decoding(systems, ready(options, task), device, combination, processors, stepper, precision)
    if align and replace_unknown is not None:
        raise UserError("words can be aligned, or unknown ones replaced, not both at once")
    decode = task.decode_aligned if align else task.decode
    if replace_unknown is not None:
        decode = partial(task.decode_copying, dictionary=replace_unknown)
    if align or replace_unknown is not None:
        decoding = replace(decoding, options=replace(decoding.options, attention=True))
    first = 0
    was_training = [system.model.training for system in systems]
    try:
        for system in systems:
            system.model.eval()
        for chunk in _windows(examples, window or BATCHES_A_WINDOW * batch_size):
            found = _decode_window(decoding, chunk, first, batch_size, progress)
            yield from (decode(example, hypotheses) for example, hypotheses in zip(chunk, found, strict=True))
            first += len(chunk)
    finally:
        for system, training in zip(systems, was_training, strict=True):
            system.model.train(training)


def ready(options: SearchOptions, task: Task) -> SearchOptions:
    """The options with the task's BOS, EOS and unknown word, and with a seed if they draw samples."""
    spec = task.target_spec
    return with_seed(replace(options, bos_id=spec.bos_id, eos_ids=(spec.eos_id,), unk_id=spec.unk_id))


def _windows(examples: Iterable[Example], size: int) -> Iterator[list[Example]]:
    """Lists of ``size`` examples. What was read before the stream failed comes first, then its error."""
    window: list[Example] = []
    try:
        for example in examples:
            window.append(example)
            if len(window) == size:
                yield window
                window = []
    except UserError:
        if window:
            yield window
        raise
    if window:
        yield window


def _decode_window(
    decoding: Decoding,
    examples: Sequence[Example],
    first: int,
    batch_size: int,
    progress: Callable[[int], None] | None,
) -> list[list[Hypothesis]]:
    """The n-best of consecutive examples of the stream; ``first`` is the place of the first."""
    encoded = [system.task.encode(examples) for system in decoding.systems]
    sentences = sentence_inputs(decoding.systems[0].task, examples, encoded[0], first)
    order = sorted(range(len(examples)), key=lambda i: encoded[0][i].source_length)
    found: dict[int, list[Hypothesis]] = {}
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        hypotheses = decoding.batch([[own[i] for i in chosen] for own in encoded], [sentences[i] for i in chosen])
        found.update(zip(chosen, hypotheses, strict=True))
        if progress:
            progress(len(chosen))
    return [found[i] for i in range(len(examples))]


def _without_padding(hypothesis: Hypothesis, length: int) -> Hypothesis:
    """The hypothesis with its attention over the sentence's own ``length`` memory positions."""
    if hypothesis.attention is None:
        return hypothesis
    return replace(hypothesis, attention=hypothesis.attention[:, :length])
