"""``load("RUN").translate(["How are you?"])``: a trained run as a Python object."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from seq2seq_kit.checkpoint import load_run
from seq2seq_kit.decoding import mbr as minimum_bayes_risk
from seq2seq_kit.decoding.compiled import load as load_compiled
from seq2seq_kit.decoding.documents import UNREADABLE, by_parts
from seq2seq_kit.decoding.ensemble import Combination
from seq2seq_kit.decoding.generate import Decoding, System, generate, ready
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.light_model import LightModel
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.score import TargetScore, score_batch, score_ensemble
from seq2seq_kit.decoding.score import rank as best_first
from seq2seq_kit.decoding.search import Cancellation
from seq2seq_kit.decoding.stepper import Stepper, check
from seq2seq_kit.decoding.stream import stream
from seq2seq_kit.decoding.text_inputs import sentence_inputs
from seq2seq_kit.device import check_device, check_threads
from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.interfaces import Example, Output, Precision, Processor
from seq2seq_kit.model import Model
from seq2seq_kit.registry import build, registry


def load(
    run: str | Path,
    *,
    device: str = "cpu",
    threads: int | None = None,
    which: Literal["best", "last"] = "best",
    stepper: Stepper = "auto",
    precision: Precision = "fp32",
) -> Pipeline:
    """Load a run folder.

    Args:
        run: the folder that ``s2s train`` wrote.
        device: where to decode, e.g. ``"cpu"`` or ``"cuda:0"``.
        threads: torch's threads, and with native steppers the number of batches that are decoded side by side; None
            leaves torch's as they are.
        which: the best checkpoint by the validation metric, or the last one.
        stepper: what drives the decoder: ``"native"``, the engine's own stepper; ``"python"``, the decoder's step;
            ``"auto"``, the native one where the decoder offers it; ``"compiled"``, what ``s2s compile`` made of the
            decoder's step (code in the run folder, which is run: for runs that you trust); see
            :data:`seq2seq_kit.decoding.stepper.Stepper`.
        precision: of a native stepper: ``"fp32"``, ``"bf16"`` or ``"int8"``.

    Raises:
        CheckpointError: the folder is missing, damaged, or needs a plugin that is not installed.
        UserError: there is no such stepper or precision; when decoding: the decoder offers none.
    """
    if threads is not None:
        torch.set_num_threads(check_threads(threads))
    check(stepper, precision)
    return Pipeline(Path(run), check_device(device), which, stepper, precision)


class Pipeline:
    """A trained run that answers. Its task's verb is a method: ``pipeline.translate(sentences, beam_size=5)``.

    :func:`~seq2seq_kit.decoding.run_ensemble.load_ensemble` gives it partners.
    """

    def __init__(
        self,
        run: Path,
        device: torch.device,
        which: Literal["best", "last"] = "best",
        stepper: Stepper = "auto",
        precision: Precision = "fp32",
    ) -> None:
        loaded = load_run(run, which, device)
        self.run = run
        self.device = device
        self.config = loaded.config
        self.task = loaded.task
        self._model = LightModel(loaded.model.eval(), run, which)
        self.verb = registry().find("task", self.config.task.name).component.verb
        self.processors: list[Processor] = [
            build("processor", section, self.task.target_spec) for section in self.config.processors
        ]
        self.weight = 1.0
        self.partners: list[System] = []
        self.combination: Combination = "linear"
        self.stepper = stepper
        self.precision = precision
        if stepper == "compiled":
            self.model.decoder.compiled = load_compiled(run, self.config, self.model.decoder, which)

    @property
    def model(self) -> Model:
        """The run's model, in eval mode."""
        return self._model.whole()

    def _decoded(self) -> Model:
        """The model to be decoded with: with native steppers alone, its weights need not all be there."""
        light = self.stepper in ("auto", "native") and self.device.type == "cpu"
        return self._model.light(self.precision) if light else self.model

    def __getattr__(self, name: str) -> Callable[..., list[Output]]:
        verb = self.__dict__.get("verb")
        if verb is not None and name == verb:
            return self.__call__
        task = self.config.task.name if "config" in self.__dict__ else "unknown"
        raise AttributeError(f"this run's task is {task!r}: it has no {name!r}; call .{verb}(…)")

    def __call__(
        self,
        sources: Iterable[str | Mapping[str, Any]],
        *,
        prefixes: Sequence[str] | None = None,
        constraints: Sequence[Sequence[str | Sequence[str]]] | None = None,
        banned: Sequence[Sequence[str]] | None = None,
        choices: Sequence[Sequence[str]] | None = None,
        mbr: str | None = None,
        replace_unknown: Mapping[str, str] | None = None,
        align: bool = False,
        split_sentences: bool = False,
        batch_size: int = 32,
        **options: Any,
    ) -> list[Output]:
        """One output for each source, in order.

        Args:
            sources: texts, or records with the fields that the task reads; for a task without a source, what each
                output starts with.
            prefixes: what each output must start with.
            constraints: for each source the phrases that must appear; a list of phrases: one of them must.
            banned: for each source the phrases that must not appear.
            choices: for each source the texts of which its output must be one.
            mbr: see :meth:`outputs`.
            replace_unknown: see :meth:`outputs`.
            align: see :meth:`outputs`.
            split_sentences: see :meth:`outputs`.
            batch_size: sentences a batch.
            options: fields of :class:`SearchOptions` (``beam_size=1``).
        """
        if isinstance(sources, str):
            raise UserError("give a list of sentences, not one string: [sentence]")
        wishes = {"prefix": prefixes, "constraints": constraints, "banned": banned, "choices": choices}
        examples = [self._example(source, place) for place, source in enumerate(sources)]
        for name, values in wishes.items():
            if values is None:
                continue
            if isinstance(values, str) or len(values) != len(examples):
                raise UserError(f"there are {len(examples)} sentences: give {name} as a list with one entry for each")
            for example, value in zip(examples, values, strict=True):
                example.extras[name] = value
        how: dict[str, Any] = {"mbr": mbr, "replace_unknown": replace_unknown, "batch_size": batch_size}
        how |= {"align": align, "split_sentences": split_sentences}
        return list(self.outputs(examples, self.options(attention=True, **options), **how))

    def _example(self, given: str | Mapping[str, Any], place: int) -> Example:
        try:
            return self.task.example(given)
        except DataError as error:
            raise DataError(f"source {place} (from 0) {error}") from None

    def outputs(
        self,
        examples: Iterable[Example],
        options: SearchOptions,
        *,
        mbr: str | None = None,
        split_sentences: bool = False,
        **how: Any,
    ) -> Generator[Output, None, None]:
        """Decode a stream. A blank source has an empty output, unless the task has no sources. Close the iterator
        where it may not be read to its end: that ends the searches under way.

        Args:
            mbr: ``"chrf"``, ``"bleu"`` or another metric: of all ``beam_size`` outputs of a sentence those of greatest
                expected utility come first (minimum Bayes risk); samples weigh alike, the outputs of a beam as their
                probabilities.
            split_sentences: decode a source of several sentences one by one, and join the outputs: one each, without
                attention. For tasks that can.
            how: as for :func:`seq2seq_kit.decoding.generate.generate`.
        """
        n_best = options.n_best
        utility = minimum_bayes_risk.utility(mbr) if mbr else None
        if utility:
            options = replace(options, n_best=options.beam_size)
        if split_sentences and (n_best > 1 or how.get("align")):
            raise UserError("sentences are split for one output each, without alternatives and alignment")
        decode = partial(
            generate, self._decoded(), self.task, options=options, device=self.device, **self.parts(), **how
        )

        def parts(example: Example) -> list[Example]:
            if self.is_blank(example):
                return []
            return self.task.sentences(example) if split_sentences else [example]

        outputs = by_parts(examples, parts, decode)
        if utility is None:
            return outputs
        evenly = options.sampling != "off"
        return (minimum_bayes_risk.reorder(output, utility, n_best, evenly=evenly) for output in outputs)

    def is_blank(self, example: Example) -> bool:
        """Is there nothing to be decoded? A blank line of a document, or what could not be read."""
        return UNREADABLE in example.extras or (self.task.source_spec is not None and not example.source.strip())

    def parts(self) -> dict[str, Any]:
        """What this pipeline adds to a decoding with its model, as :func:`generate` takes it."""
        return {
            "weight": self.weight,
            "partners": self.partners,
            "combination": self.combination,
            "processors": self.processors,
            "stepper": self.stepper,
            "precision": self.precision,
        }

    def stream(
        self,
        source: str | Mapping[str, Any],
        *,
        prefix: str | None = None,
        constraints: Sequence[str | Sequence[str]] | None = None,
        banned: Sequence[str] | None = None,
        choices: Sequence[str] | None = None,
        **options: Any,
    ) -> Iterator[str]:
        """The output of one source in pieces, each as soon as it is settled: none is taken back, and together they are
        the text that :meth:`__call__` gives. Closing the iterator ends the search."""
        wishes = {"prefix": prefix, "constraints": constraints, "banned": banned, "choices": choices}
        example = self._example(source, 0)
        example.extras |= wishes
        return self.stream_example(example, self.options(**options))

    def stream_example(self, example: Example, options: SearchOptions, place: int = 0) -> Iterator[str]:
        """As :meth:`stream`; ``place``: the example's number in its stream of examples, for samples."""
        if self.is_blank(example):
            return iter(())
        systems = [System(self._decoded(), self.task, self.weight), *self.partners]
        decoding = Decoding(
            systems=systems,
            options=ready(options, self.task),
            device=self.device,
            combination=self.combination,
            processors=self.processors,
            stepper=self.stepper,
            precision=self.precision,
        )
        encoded = [system.task.encode([example]) for system in systems]
        sentences = sentence_inputs(self.task, [example], encoded[0], place)

        def run(on_tokens: Callable[[int, list[int]], None], cancellation: Cancellation) -> list[list[Hypothesis]]:
            return decoding.batch(encoded, sentences, on_tokens, cancellation)

        return stream(self.task, example, run)

    def score(self, pairs: Iterable[tuple[str, str]], *, batch_size: int = 32, **options: Any) -> list[TargetScore]:
        """How likely this run finds the target of each (source, target), the end symbol counted.

        Args:
            batch_size: pairs a batch.
            options: fields of :class:`SearchOptions`: by what scores are ranked, and the temperature.
        """
        return self.score_with(list(pairs), self.options(**options), batch_size)

    def score_with(
        self, pairs: Sequence[tuple[str, str]], options: SearchOptions, batch_size: int = 32
    ) -> list[TargetScore]:
        """As :meth:`score`, with all options."""
        options = ready(options, self.task)
        examples = [Example(source, target) for source, target in pairs]
        systems = [System(self.model, self.task, self.weight), *self.partners]
        scores = [self._score(system, examples, options, batch_size) for system in systems]
        if len(systems) == 1:
            return scores[0]
        weights = [system.weight for system in systems]
        lengths = [encoded.source_length for encoded in self.task.encode(examples)]
        return score_ensemble(scores, weights, self.combination, options, lengths)

    def _score(
        self, system: System, examples: Sequence[Example], options: SearchOptions, batch_size: int
    ) -> list[TargetScore]:
        encoded = system.task.encode(examples)
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].target or []))
        found: dict[int, TargetScore] = {}
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = system.task.collate([encoded[i] for i in chosen]).to(self.device)
            scores = score_batch(system.model, batch, [encoded[i].target or [] for i in chosen], options)
            found.update(zip(chosen, scores, strict=True))
        return [found[i] for i in range(len(encoded))]

    def rank(self, source: str, candidates: Sequence[str], **options: Any) -> list[tuple[str, TargetScore]]:
        """The candidate targets of one source with their scores, best first; see :meth:`score`."""
        scores = self.score([(source, candidate) for candidate in candidates], **options)
        return [(candidates[i], scores[i]) for i in best_first(scores)]

    def options(self, **changes: Any) -> SearchOptions:
        """The run's own search options with some of them changed."""
        known = [f.name for f in fields(SearchOptions)]
        for name in changes:
            if name not in known:
                raise UserError(f"there is no search option {name!r} (there is: {', '.join(known)})")
        return replace(self.config.search, **changes)
