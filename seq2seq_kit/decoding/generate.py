"""Examples in, outputs out, in order: encodes in batches of like length and lets the engine search."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from seq2seq_kit.decoding.ensemble import Combination, Ensemble, Member
from seq2seq_kit.decoding.halving import Halving
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import Cancellation, search, with_seed
from seq2seq_kit.decoding.stepper import Stepper, begin, encode, native_decoder
from seq2seq_kit.decoding.text_inputs import sentence_inputs
from seq2seq_kit.decoding.workers import in_order
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import EncodedExample, Example, Output, Precision, Processor, Task
from seq2seq_kit.model import Model

BATCHES_A_WINDOW = 16
"""Batches read together, so that sentences of like length can be decoded together."""


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
            memory = encode(system.model, batch, self.stepper, self.precision)
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

    def workers(self) -> int:
        """How many batches are decoded side by side: as many as torch has threads, where steps are native.

        One, with all threads, where Python is called at every step (it would wait for itself, and a plugin's processors
        need not know of threads), where torch's generator draws samples batch by batch, and under autocast, which other
        threads do not see.
        """
        alone = (
            torch.device(self.device).type != "cpu"
            or self.stepper == "python"
            or any(native_decoder(system.model.decoder, self.precision) is None for system in self.systems)
            or bool(self.processors)
            or (self.options.sampling != "off" and self.options.rng == "torch")
            or torch.is_autocast_enabled("cpu")
        )
        return 1 if alone else torch.get_num_threads()


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
    skip: Callable[[Example, UserError], None] | None = None,
) -> Generator[Output, None, None]:
    """Decode a stream of examples and yield one output each, in input order.

    With native steppers, batches are decoded side by side on as many threads as torch has; they are read, encoded as
    tokens and made outputs of where the iterator is read. Close it where it may not be read to its end: that cancels
    the searches under way.

    Samples are those of an example's place in the stream: they do not depend on ``batch_size`` or ``window``. A batch
    for which there is no memory is decoded in halves; see :class:`~seq2seq_kit.decoding.halving.Halving`.

    Args:
        examples: what their ``extras`` may ask of the outputs: see :data:`seq2seq_kit.decoding.text_inputs.WISHES`.
        options: how to search; the special ids are the task's own.
        batch_size: sentences a batch.
        window: examples read before the first is answered, and not one more (1 answers line by line). By default
            ``16 * batch_size``, and the next as many while these are still decoded.
        progress: called with the number of examples just done, where the iterator is read.
        weight: of ``model`` among its partners.
        partners: further systems of an ensemble.
        combination: how an ensemble's scores become one; see :class:`~seq2seq_kit.decoding.ensemble.Ensemble`.
        processors: applied in order after the built-in options.
        stepper: the decoders' Python steps, or native ones; see :data:`seq2seq_kit.decoding.stepper.Stepper`.
        precision: of native steppers.
        replace_unknown: write source words in the place of unknown ones, translated by this dictionary where it has
            them; see :func:`seq2seq_kit.decoding.copying.replace_unknown`.
        align: say which words of the source the words of the outputs come from, in ``facts["word_alignment"]``.
        skip: told of an example that cannot be decoded, such as one whose prefix is longer than its output may be, and
            why: its output is an empty one, and the others are decoded. None: it ends the stream.
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
    was_training = [system.model.training for system in systems]
    try:
        for system in systems:
            system.model.eval()
        windows = _windows(systems, examples, window or BATCHES_A_WINDOW * batch_size)
        workers, decode_batch = decoding.workers(), partial(_decode, decoding, Halving(), skip)
        for stream in [windows] if window is None else ([each] for each in windows):
            batches = (batch for each in stream for batch in each.batches(batch_size))
            with closing(in_order(decode_batch, batches, workers)) as decoded:
                for batch, found in decoded:
                    batch.window.found.update(zip(batch.places, found, strict=True))
                    if progress:
                        progress(len(found))
                    yield from (decode(*answer) for answer in batch.window.answers())
    finally:
        for system, training in zip(systems, was_training, strict=True):
            system.model.train(training)


def ready(options: SearchOptions, task: Task) -> SearchOptions:
    """The options with the task's BOS, EOS and unknown word, and with a seed if they draw samples."""
    spec = task.target_spec
    return with_seed(replace(options, bos_id=spec.bos_id, eos_ids=(spec.eos_id,), unk_id=spec.unk_id))


@dataclass(frozen=True)
class _Window:
    """Consecutive examples of the stream."""

    examples: Sequence[Example]
    encoded: Sequence[Sequence[EncodedExample]]  # for each system
    sentences: Sequence[SentenceInput]
    found: dict[int, list[Hypothesis]] = field(default_factory=dict)  # by the example's place

    def batches(self, size: int) -> Iterator[_Batch]:
        """Batches of like length. The longest come first: what comes last is then soon done by all workers."""
        order = sorted(range(len(self.examples)), key=lambda i: self.encoded[0][i].source_length, reverse=True)
        for start in range(0, len(order), size):
            yield _Batch(self, order[start : start + size])

    def answers(self) -> list[tuple[Example, list[Hypothesis]]]:
        """The examples and what was found for them, once that is all there."""
        if len(self.found) < len(self.examples):
            return []
        return [(example, self.found[i]) for i, example in enumerate(self.examples)]


@dataclass(frozen=True)
class _Batch:
    """Examples of a window, by their places in it."""

    window: _Window
    places: Sequence[int]


def _decode(
    decoding: Decoding,
    halving: Halving,
    skip: Callable[[Example, UserError], None] | None,
    batch: _Batch,
    cancellation: Cancellation,
) -> list[list[Hypothesis]]:
    """The n-best of each example; none of one that is skipped."""
    window = batch.window

    def decode(places: Sequence[int]) -> list[list[Hypothesis]]:
        encoded = [[own[i] for i in places] for own in window.encoded]
        return decoding.batch(encoded, [window.sentences[i] for i in places], cancellation=cancellation)

    def together(places: Sequence[int]) -> list[list[Hypothesis]]:
        return halving(decode, places, lambda i: window.encoded[0][i].source_length)

    try:
        return together(batch.places)
    except UserError:
        if skip is None:
            raise
    found: list[list[Hypothesis]] = []
    failed: dict[int, UserError] = {}
    for place in batch.places:  # alone, each shows whether it is to blame
        try:
            found += together([place])
        except UserError as error:
            found.append([])
            failed[place] = error
    if 1 < len(failed) == len(batch.places):  # none of them is
        raise failed[batch.places[0]]
    for place, problem in failed.items():
        skip(window.examples[place], problem)
    return found


def _windows(systems: Sequence[System], examples: Iterable[Example], size: int) -> Iterator[_Window]:
    """Windows of ``size`` examples."""
    first = 0
    for chunk in _chunks(examples, size):
        encoded = [system.task.encode(chunk) for system in systems]
        yield _Window(chunk, encoded, sentence_inputs(systems[0].task, chunk, encoded[0], first))
        first += len(chunk)


def _chunks(examples: Iterable[Example], size: int) -> Iterator[list[Example]]:
    """Lists of ``size`` examples. What was read before the stream failed comes first, then its error."""
    chunk: list[Example] = []
    try:
        for example in examples:
            chunk.append(example)
            if len(chunk) == size:
                yield chunk
                chunk = []
    except UserError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _without_padding(hypothesis: Hypothesis, length: int) -> Hypothesis:
    """The hypothesis with its attention over the sentence's own ``length`` memory positions."""
    if hypothesis.attention is None:
        return hypothesis
    return replace(hypothesis, attention=hypothesis.attention[:, :length])
