"""``s2s score RUN [FILE]``: how likely a run finds targets that are given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Annotated

import typer

from seq2seq_kit.cli import search_flags as flags
from seq2seq_kit.cli.decode import open_input, open_output
from seq2seq_kit.errors import DataError

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
    with source, open_output(output) as sink:
        whole_lines = pipeline.task.source_spec is None
        pairs = _pairs(source, str(file or "stdin"), whole_lines)
        while window := list(islice(pairs, BATCHES_A_WINDOW * batch_size)):
            for found in pipeline.score_with(window, options, batch_size):
                if as_json:
                    record = {
                        "score": found.score,
                        "log_prob": found.log_prob,
                        "perplexity": found.perplexity,
                        "token_scores": found.token_log_probs,
                    }
                    sink.write(json.dumps(record) + "\n")
                else:
                    numbers = f"{found.score:.6f}\t{found.log_prob:.6f}\t{len(found.tokens)}\t{found.perplexity:.6f}"
                    sink.write(numbers + "\n")


def _pairs(stream: IO[bytes], name: str, whole_lines: bool) -> Iterator[tuple[str, str]]:
    """Source and target of each line; ``whole_lines``: a line is a target, and its source is empty."""
    for number, raw in enumerate(stream, 1):
        try:
            line = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{name}, line {number}: is not valid UTF-8 (byte {error.start})") from None
        columns = ["", line] if whole_lines else line.split("\t")
        if len(columns) != 2:
            raise DataError(f"{name}, line {number}: has {len(columns)} columns, expected SOURCE TAB TARGET")
        yield columns[0], columns[1]
