"""``s2s transcribe RUN FILE…``. Torch-free until it runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_kit import DataError, UserError

if TYPE_CHECKING:
    from seq2seq_kit import Pipeline
    from seq2seq_kit_speech.task import Transcript


def transcribe(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="Recordings (WAV, FLAC, …); default: those named in stdin, one a line.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write; default: stdout.")] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", help="A line for each word: FILE, START, END, WORD; times in seconds.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a recording.")] = False,
    beam_size: Annotated[int | None, typer.Option(help="Hypotheses kept a recording; 1 is greedy.")] = None,
    n_best: Annotated[int | None, typer.Option(help="With --json: further transcriptions too, so many in all.")] = None,
    length_penalty: Annotated[float | None, typer.Option(help="Exponent of the length in the score.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Most tokens of an output.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Pass over unusable recordings: empty output.")] = False,
    batch_size: Annotated[int, typer.Option(help="Recordings a batch.", min=1)] = 16,
    checkpoint: Annotated[str, typer.Option(help="'best' or 'last'.")] = "best",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="Threads of this process.")] = None,
) -> None:
    """Write down what is said in recordings: one line each, in order.

    Example: s2s transcribe RUN a.wav b.flac --timestamps
    """
    from seq2seq_kit import load

    if checkpoint not in ("best", "last"):
        raise UserError(f"--checkpoint must be best or last, got {checkpoint!r}")
    if n_best is not None and not as_json:
        raise UserError("--n-best writes several transcriptions of a recording: give --json too")
    pipeline = load(run, device=device, threads=threads, which="last" if checkpoint == "last" else "best")
    if pipeline.verb != "transcribe":
        raise UserError(f"{run} is a run of the task {pipeline.config.task.name!r}: use s2s {pipeline.verb}")
    named = {"beam_size": beam_size, "n_best": n_best, "length_penalty": length_penalty, "max_length": max_length}
    options: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    options["attention"] = timestamps or as_json
    given = [os.fsdecode(line.rstrip(b"\r\n")) for line in sys.stdin.buffer] if files is None else map(str, files)
    names = list(given)
    with nullcontext(sys.stdout) if output is None else _opened(output, names) as sink:
        for name, found in _transcripts(pipeline, names, options, skip_bad, batch_size):
            sink.write(_json(name, found) if as_json else _times(name, found) if timestamps else _text(found))


def _transcripts(
    pipeline: Pipeline, names: list[str], options: dict[str, Any], skip_bad: bool, batch_size: int
) -> Iterator[tuple[str, Transcript | str]]:
    """Each recording with its transcript, or with what is wrong with it."""
    for start in range(0, len(names), 8 * batch_size):
        chunk, examples, problems = names[start : start + 8 * batch_size], [], {}
        for place, name in enumerate(chunk):
            try:
                example = pipeline.task.example(name)
                if skip_bad:
                    pipeline.task.encode([example])  # a file may be damaged behind its header
                examples.append(example)
            except DataError as error:
                if not skip_bad:
                    raise DataError(f"{error}; --skip-bad leaves its output empty") from None
                print(f"{error}; skipped", file=sys.stderr)
                problems[place] = str(error)
        found = pipeline.outputs(examples, pipeline.options(**options), batch_size=batch_size)
        for place, name in enumerate(chunk):
            yield name, problems[place] if place in problems else next(found)  # type: ignore[misc]


def _opened(output: Path, names: list[str]) -> Any:
    if any(os.path.isfile(name) and output.is_file() and output.samefile(name) for name in names):
        raise UserError(f"{output}: is among the recordings, and would be lost: choose another file")
    try:
        return output.open("w", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}") from None


def _text(found: Transcript | str) -> str:
    return "\n" if isinstance(found, str) else found.text + "\n"


def _times(name: str, found: Transcript | str) -> str:
    words = [] if isinstance(found, str) else found.words
    return "".join(f"{name}\t{w.start:.2f}\t{w.end:.2f}\t{w.word}\n" for w in words)


def _json(name: str, found: Transcript | str) -> str:
    if isinstance(found, str):
        return json.dumps({"file": name, "error": found}, ensure_ascii=False) + "\n"
    alternatives = [{"text": other.text, "score": other.score} for other in found.alternatives]
    words = [vars(word) for word in found.words]
    record = {"file": name, "text": found.text, "score": found.score, "words": words, "alternatives": alternatives}
    return json.dumps(record, ensure_ascii=False) + "\n"
