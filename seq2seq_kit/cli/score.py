"""``s2s score RUN [FILE]``: how likely a run finds targets that are given."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from seq2seq_kit.cli import search_flags as flags
from seq2seq_kit.cli.files import open_input, open_output
from seq2seq_kit.data.lines import as_text, raw_lines
from seq2seq_kit.errors import DataError

if TYPE_CHECKING:
    from seq2seq_kit.decoding.score import TargetScore
    from seq2seq_kit.interfaces import Task

BATCHES_A_WINDOW = 16
"""Batches read ahead, so that targets of like length can be scored together."""


def add_to(cli: typer.Typer) -> None:
    """Add the command ``score``."""
    cli.command("score")(score)


def score(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    file: Annotated[Path | None, typer.Argument(help="SOURCE TAB TARGET lines, or texts; default: stdin.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write; default: stdout.")] = None,
    length_penalty: flags.LengthPenalty = None,
    temperature: flags.Temperature = None,
    settings: flags.SetOption = None,
    ensemble: flags.Partners = None,
    weights: flags.Weights = None,
    combination: flags.Combination = "linear",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="A bad line has an empty line for its score.")] = False,
    batch_size: flags.BatchSize = 32,
    checkpoint: flags.Checkpoint = "best",
    device: flags.Device = "cpu",
    threads: flags.Threads = None,
) -> None:
    """Score given targets: one SCORE TAB LOG-PROBABILITY TAB TOKENS TAB PERPLEXITY line for each, in order.

    The score is what decoding ranks outputs by; tokens count the end symbol; log-probabilities are in nats. A language
    model scores whole lines.

    Example: printf 'one two\\tun deux\\n' | s2s score RUN
    """
    pipeline = flags.open_runs(run, ensemble, weights, combination, checkpoint, device, threads)
    options = flags.search_options(pipeline, None, settings, length_penalty=length_penalty, temperature=temperature)
    source = open_input(file)
    with source, open_output(output, file) as sink:
        pairs = _pairs(pipeline.task, source, str(file or "stdin"), skip_bad)
        problem: DataError | None = None
        while problem is None:
            window, problem = _taken(pairs, BATCHES_A_WINDOW * batch_size)
            if not window:
                break
            given = [pair for pair in window if pair is not None]
            found = iter(pipeline.score_with(given, options, batch_size))
            for pair in window:
                sink.write((_line(next(found), as_json) if pair is not None else "{}" if as_json else "") + "\n")
        if problem is not None:
            raise problem


Pair = tuple[str, str] | None
"""Source and target; None for a bad line that is skipped."""


def _taken(pairs: Iterator[Pair], count: int) -> tuple[list[Pair], DataError | None]:
    """The next pairs, and what is wrong with the one after them."""
    taken: list[Pair] = []
    try:
        for pair in islice(pairs, count):
            taken.append(pair)
    except DataError as error:
        return taken, error
    return taken, None


def _line(found: TargetScore, as_json: bool) -> str:
    if not as_json:
        return f"{found.score:.6f}\t{found.log_prob:.6f}\t{len(found.tokens)}\t{found.perplexity:.6f}"
    record = {
        "score": found.score,
        "log_prob": found.log_prob,
        "perplexity": found.perplexity,
        "token_scores": found.token_log_probs,
    }
    return json.dumps(record)


def _pairs(task: Task, stream: IO[bytes], name: str, skip: bool) -> Iterator[Pair]:
    """The pair of each line; for a task without sources a line is a target."""
    for number, raw in enumerate(raw_lines(stream), 1):
        try:
            yield _pair(task, raw)
        except DataError as problem:
            if not skip:
                raise DataError(f"{name}, line {number}: {problem}; --skip-bad scores the rest") from None
            print(f"{name}, line {number}: {problem}; skipped", file=sys.stderr)
            yield None


def _pair(task: Task, raw: bytes) -> tuple[str, str]:
    line = as_text(raw)
    columns = [line] if task.source_spec is None else line.split("\t")
    if task.source_spec is not None and len(columns) != 2:
        raise DataError(f"has {len(columns)} columns, expected SOURCE TAB TARGET")
    longest = max(map(len, columns))
    if longest > task.longest_line:
        raise DataError(f"has {longest:,} characters in a column, more than {task.longest_line:,}")
    if task.source_spec is None:
        return "", line
    return task.example(columns[0]).source, columns[1]
