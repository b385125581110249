"""Transcription: recordings to text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from seq2seq_kit import (
    Batch,
    ComponentConfig,
    DataError,
    EncodedExample,
    Example,
    Examples,
    Hypothesis,
    Metric,
    Output,
    SourceSpec,
    TaskConfig,
    TextTask,
    Tokenizer,
    build,
    component_field,
)
from seq2seq_kit_speech.alignment import spans
from seq2seq_kit_speech.audio import Reader, Recording
from seq2seq_kit_speech.features import LogMel

FILE = "text.json"
SECONDS = "seconds"
"""The entry of ``Example.extras`` with the length of a recording; ``start`` and ``end`` are those of its part."""


class TranscriptionConfig(TaskConfig):
    """Configuration of :class:`Transcription`."""

    name: str = "transcription"
    tokenizer: component_field("tokenizer") = "char"  # type: ignore[valid-type]
    """Of the texts."""
    rate: int = Field(default=16_000, ge=1000)
    """Samples a second of the recordings."""
    resample: bool = False
    """Convert recordings of another rate; false: refuse them."""
    features: int = Field(default=80, ge=1)
    """F, bands of the mel scale."""
    window: float = Field(default=25.0, gt=0)
    """Of how many milliseconds a frame is made."""
    shift: float = Field(default=10.0, gt=0)
    """Milliseconds from frame to frame."""
    audio_field: str = "audio"
    """The name of the recording's file in JSONL data."""
    text_field: str = "text"
    """The name of the text in JSONL data."""
    segments: bool = False
    """JSONL data has the fields ``start`` and ``end`` too, in seconds: each line is a part of its file."""
    metrics: list[component_field("metric")] = Field(default=["wer", "cer"], min_length=1)  # type: ignore[valid-type]
    """How outputs are scored; the first is the main one."""


@dataclass(frozen=True)
class TimedWord:
    """A word, and when it was said, in seconds from the beginning of the recording's file."""

    word: str
    start: float
    end: float


@dataclass
class Transcript(Output):
    """A transcription; ``words`` is empty where no attention was asked for, or the decoder gives none."""

    words: list[TimedWord] = field(default_factory=list)


class Transcription(TextTask):
    """Recordings and their texts.

    ``Example.source`` is the path of a recording; in data files it may be relative to the folder of the data file. A
    recording is checked by its header when it is read, and read when it is encoded. ``EncodedExample.frames`` are
    log-mel features.
    """

    group_references = False

    def __init__(self, config: TranscriptionConfig) -> None:
        self.config = config
        self.target_tokenizer: Tokenizer = build("tokenizer", config.tokenizer)
        self.source_spec = SourceSpec(feature_size=config.features)
        self._reader = Reader(config.rate, config.resample)
        self._features = LogMel(config.rate, config.features, config.window, config.shift)

    @property
    def target_section(self) -> ComponentConfig:
        section: ComponentConfig = self.config.tokenizer
        return section

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """TSV (path, text), JSONL (``audio``, ``text``) or two parallel files; see :class:`seq2seq_kit.Examples`."""
        c = self.config
        return Examples(
            paths,
            on_error,
            source_field=c.audio_field,
            target_field=c.text_field,
            extra_fields=("start", "end") if c.segments else (),
            adapt=self._locate(Path(paths[0]).parent) if paths else None,
        )

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """The path of a recording, or a record with ``audio`` and perhaps ``start`` and ``end``."""
        record = {self.config.audio_field: given} if isinstance(given, str) else given
        path = record.get(self.config.audio_field)
        if not isinstance(path, str):
            raise DataError(f"is not an object with a text {self.config.audio_field!r}")
        part = {name: record[name] for name in ("start", "end") if name in record}
        return self._locate(Path())(Example(path, extras=part))

    def prepare(self, examples: Iterable[Example]) -> None:
        """Learn the tokenizer."""
        self.target_tokenizer.train([_text(example) for example in examples])
        self.target_spec = self._target_spec()

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Frames of the recordings, and ids of the texts where there are any, each with EOS. An empty source has no
        frame."""
        texts = [i for i, example in enumerate(examples) if example.target is not None]
        ids = self.target_tokenizer.encode([_text(examples[i]) for i in texts])
        targets = {i: [*own, self.target_tokenizer.eos_id] for i, own in zip(texts, ids, strict=True)}
        return [
            EncodedExample([], targets.get(i), example.id, frames=self._frames(example))
            for i, example in enumerate(examples)
        ]

    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        """Pad to the right and stack. Targets are there when every example has one."""
        frames = [torch.from_numpy(np.asarray(example.frames, np.float32)) for example in examples]
        batch = Batch(
            torch.nn.utils.rnn.pad_sequence(frames, batch_first=True),  # [B, S, F]
            _mask([example.source_length for example in examples]),
            ids=[example.id for example in examples],
        )
        targets = [torch.tensor(example.target) for example in examples if example.target is not None]
        if len(targets) == len(examples):
            pad = self.target_tokenizer.pad_id
            batch.target = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=pad)
            batch.target_mask = _mask([len(target) for target in targets])
        return batch

    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Transcript:
        """The best hypothesis as text, its words timed where there is attention, and its alternatives."""
        output = super().decode(example, hypotheses)
        if not hypotheses:
            return Transcript(**vars(output))
        pairs = zip([output, *output.alternatives], hypotheses, strict=True)
        best, *others = (self._timed(example, one, hypothesis) for one, hypothesis in pairs)
        return replace(best, alternatives=[*others])

    def tokenizers(self) -> dict[str, Tokenizer]:
        """``target``."""
        return {"target": self.target_tokenizer}

    def metrics(self) -> dict[str, Metric]:
        """The configured metrics by name."""
        return {section.name: build("metric", section) for section in self.config.metrics}

    def save(self, directory: Path) -> None:
        """Write ``text.json``."""
        self.target_tokenizer.save(directory / FILE)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; raises :class:`CheckpointError` where it is missing or damaged."""
        self.target_tokenizer.load(directory / FILE)
        self.target_spec = self._target_spec()

    def _locate(self, folder: Path) -> Callable[[Example], Example]:
        """What gives an example its path from here and its length, and refuses one whose recording is unusable."""

        def located(example: Example) -> Example:
            example = replace(example, source=str(folder / example.source))
            seconds = self._reader.seconds(_recording(example))
            return replace(example, extras={**example.extras, SECONDS: seconds})

        return located

    def _frames(self, example: Example) -> np.ndarray[Any, np.dtype[np.float32]]:
        if not example.source:
            return np.zeros((0, self.config.features), np.float32)
        recording = _recording(example)
        frames = self._features(self._reader.read(recording))
        if len(frames) == 0:
            raise DataError(f"{recording}: is shorter than a frame ({self.config.window:g} ms)")
        return frames

    def _timed(self, example: Example, output: Output, hypothesis: Hypothesis) -> Transcript:
        """An output with the times of its words."""
        transcript = Transcript(**vars(output))
        if output.attention is None or SECONDS not in example.extras:
            return transcript
        start = float(example.extras.get("start", 0))
        second = example.extras[SECONDS] / max(1, output.attention.shape[1])  # of a state
        transcript.source_tokens = [f"{start + s * second:.2f}" for s in range(output.attention.shape[1])]
        times = spans(output.attention)
        words, ids = output.text.split(), self.without_eos(hypothesis)
        of_words: list[list[tuple[int, int]]] = [[] for _ in words]
        for i, time in enumerate(times[: len(ids)] if words else []):
            so_far = len(self.target_tokenizer.decode(ids[: i + 1]).split())
            of_words[min(max(so_far, 1), len(words)) - 1].append(time)
        transcript.words = [
            TimedWord(word, round(start + own[0][0] * second, 3), round(start + own[-1][1] * second, 3))
            for word, own in zip(words, of_words, strict=True)
            if own
        ]
        return transcript


def _recording(example: Example) -> Recording:
    part = {name: example.extras[name] for name in ("start", "end") if example.extras.get(name) is not None}
    for name, value in part.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise DataError(f"{example.source}: its {name!r} must be a number of seconds, is {value!r}")
    return Recording(Path(example.source), **part)


def _text(example: Example) -> str:
    if example.target is None:
        raise DataError(f"example {example.id} has no text, and training needs one")
    return example.target


def _mask(lengths: Sequence[int]) -> torch.Tensor:
    """True at real positions, [B, longest]."""
    return torch.arange(max(lengths, default=0)) < torch.tensor(lengths).unsqueeze(1)
