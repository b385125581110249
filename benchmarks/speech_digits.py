"""How many words are wrong in transcriptions of spoken digit strings, after half an hour of training?

The Free Spoken Digit Dataset has 3,000 recordings of single digits at 8 kHz, by 6 speakers; index 0 to 4 of each
speaker and digit is its test part. Strings of one to seven digits of one speaker are joined with silence of 0.05 to
0.3 s before, between and after them: for training from index 9 to 49, for validation from 5 to 8, for the test from 0
to 4, drawn with a fixed seed; see ``configs/speech_digits.yaml``. The word error rate (WER) is that of the search by
attention and CTC together, and of the same search by attention alone. As the joints are known, so is how far the middle
of each word is off in the timestamps (of strings without an error). The corpus is not part of the repository: it is
read from ``../shared/data/fsdd``. It needs the plugin: ``pip install ./plugins/seq2seq-kit-speech``.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.support import results, sequences, translation
from benchmarks.support.harness import Options
from seq2seq_kit.errors import UserError
from seq2seq_kit.metrics.error_rate import WordErrorRate, WordErrorRateConfig

NAME = "speech_digits"
RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
PARTS = {"train": (range(9, 50), 8000), "validation": (range(5, 9), 300), "test": (range(5), 1000)}
"""Of each part, which recordings it is made of, and how many strings it has."""
LONGEST = 7
SILENCE = (0.05, 0.3)
"""Seconds."""


@dataclass(frozen=True)
class Digits:
    """A string of digits."""

    samples: NDArray[np.int16]
    text: str
    middles: list[float]  # of each word, in seconds


def run(options: Options) -> results.Result:
    """Train and score."""
    if find_spec("seq2seq_kit_speech") is None:
        raise UserError("speech_digits needs the plugin: pip install ./plugins/seq2seq-kit-speech")
    folder = sequences.CONVERTED / NAME
    prepare(translation.DATA / "fsdd" / "recordings", folder)
    trained = translation.trained(NAME, options)
    rows, took = score(trained, folder, options.threads)
    settings = {**translation.of_the_run(trained), **took}
    return translation.result(NAME, settings, rows)


def prepare(recordings: Path, folder: Path) -> None:
    """Write the recordings and their texts, and the middles of the test's words, into ``folder``."""
    import soundfile

    for part, (indices, count) in PARTS.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        pairs, middles = [], {}
        for number, digits in enumerate(strings(recordings, part, indices, count)):
            name = f"{part}/{number:05}.flac"
            soundfile.write(folder / name, digits.samples, RATE)
            pairs.append((name, digits.text))
            middles[name] = digits.middles
        sequences.write(folder / f"{part}.tsv", pairs)
    (folder / "middles.json").write_text(json.dumps(middles), encoding="utf-8")


def strings(recordings: Path, part: str, indices: Iterable[int], count: int) -> Iterator[Digits]:
    """Random strings: a speaker, a length, digits, one recording of each, pauses."""
    import soundfile

    draw, chosen = random.Random(f"{NAME} {part}"), list(indices)
    known: dict[str, NDArray[np.int16]] = {}
    for _ in range(count):
        speaker = draw.choice(SPEAKERS)
        digits = [draw.randrange(10) for _ in range(draw.randint(1, LONGEST))]
        pieces, middles, length = [_silence(draw)], [], 0
        for digit in digits:
            name = f"{digit}_{speaker}_{draw.choice(chosen)}.wav"
            if name not in known:
                known[name] = soundfile.read(recordings / name, dtype="int16")[0]
            length = sum(map(len, pieces))
            middles.append((length + len(known[name]) / 2) / RATE)
            pieces += [known[name], _silence(draw)]
        yield Digits(np.concatenate(pieces), " ".join(WORDS[digit] for digit in digits), middles)


def _silence(draw: random.Random) -> NDArray[np.int16]:
    return np.zeros(round(RATE * draw.uniform(*SILENCE)), np.int16)


def score(run: Path, folder: Path, threads: int) -> tuple[list[results.Row], dict[str, object]]:
    """Word error rates of the test part, and the error of timestamps."""
    from seq2seq_kit import load
    from seq2seq_kit.data.references import with_references

    pipeline = load(run, threads=threads)
    examples = with_references(pipeline.task.read([str(folder / "test.tsv")]), by_source=False)
    references = [example.references for example in examples]
    metric, rows, errors = WordErrorRate(WordErrorRateConfig()), [], []
    joint = pipeline.processors
    for system, processors in {"attention and CTC": joint, "attention alone": []}.items():
        pipeline.processors = processors
        outputs: list[Any] = list(pipeline.outputs(examples, pipeline.options(attention=True)))
        value = round(metric([output.text for output in outputs], references), 2)
        case = f"{len(examples):,} strings, {sum(len(r[0].split()) for r in references):,} words"
        rows.append(results.Row(case=case, system=system, unit="WER", samples=[value], median=value))
        if processors:
            middles = json.loads((folder / "middles.json").read_text(encoding="utf-8"))
            for example, output in zip(examples, outputs, strict=True):
                if output.text == example.references[0]:
                    true = middles[str(Path(example.source).relative_to(folder))]
                    errors += [abs((w.start + w.end) / 2 - m) for w, m in zip(output.words, true, strict=True)]
    return rows, {"mean error of the words' middles": f"{1000 * mean(errors):.0f} ms of {len(errors):,} words"}
