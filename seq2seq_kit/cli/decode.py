"""One verb for every task that declares one: ``s2s translate RUN [FILE]``, ``s2s summarize``, …"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

import typer

from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.registry import registry

if TYPE_CHECKING:
    from seq2seq_kit.interfaces import Example, Output


def add_to(cli: typer.Typer) -> None:
    """Add a command for each task's verb."""
    for provided in registry().provided("task"):
        component = provided.component
        if component.verb:
            cli.command(component.verb, help=_help(component.verb, component.name))(_command(component.verb))


def _help(verb: str, task: str) -> str:
    return (
        f"Decode with a trained {task} run: one line in, one line out, in order.\n\n"
        f"Example: echo 'How are you?' | s2s {verb} RUN --beam-size 5"
    )


def _command(verb: str) -> Callable[..., None]:
    def command(
        run: Annotated[Path, typer.Argument(help="The run folder.")],
        file: Annotated[Path | None, typer.Argument(help="Input, one sentence a line; default: stdin.")] = None,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write; default: stdout.")] = None,
        beam_size: Annotated[int | None, typer.Option(help="Hypotheses kept a sentence; 1 is greedy.")] = None,
        n_best: Annotated[int | None, typer.Option(help="Hypotheses written a sentence: INDEX, SCORE, TEXT.")] = None,
        length_penalty: Annotated[float | None, typer.Option(help="Exponent of the length in the score.")] = None,
        min_length: Annotated[int | None, typer.Option(help="Fewest tokens of an output.")] = None,
        max_length: Annotated[int | None, typer.Option(help="Most tokens of an output.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
        attention: Annotated[bool, typer.Option(help="With --json: the attention weights too.")] = False,
        on_error: Annotated[str, typer.Option(help="A bad line: 'stop', or 'skip' (empty output).")] = "stop",
        max_source_length: Annotated[int, typer.Option(help="Most characters of an input line.")] = 10_000,
        batch_size: Annotated[int, typer.Option(help="Sentences a batch.", min=1)] = 32,
        checkpoint: Annotated[str, typer.Option(help="'best' or 'last'.")] = "best",
        device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")] = "cpu",
        threads: Annotated[int | None, typer.Option(help="Threads of this process.")] = None,
    ) -> None:
        from seq2seq_kit.decoding.pipeline import load

        one_of("--on-error", on_error, ("stop", "skip"))
        one_of("--checkpoint", checkpoint, ("best", "last"))
        pipeline = load(run, device=device, threads=threads, which=checkpoint)  # type: ignore[arg-type]
        if pipeline.verb != verb:
            raise UserError(f"{run} is a run of the task {pipeline.config.task.name!r}: use s2s {pipeline.verb}")
        given = {
            "beam_size": beam_size,
            "n_best": n_best,
            "length_penalty": length_penalty,
            "min_length": min_length,
            "max_length": max_length,
            "attention": attention or None,
        }
        options = pipeline.options(**{name: value for name, value in given.items() if value is not None})
        interactive = file is None and sys.stdin.isatty()
        source = open_input(file)
        lines = _examples(source, str(file or "stdin"), on_error, max_source_length)  # type: ignore[arg-type]
        with source, open_output(output) as sink:
            for index, answer in enumerate(
                pipeline.generate(lines, options, batch_size=batch_size, window=1 if interactive else None)
            ):
                sink.write(_json_line(answer) if as_json else _text_lines(answer, index, options.n_best))
                if interactive:
                    sink.flush()

    return command


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse a value that is not among those allowed."""
    if value not in allowed:
        raise UserError(f"{option} must be {' or '.join(allowed)}, got {value!r}")


def open_input(file: Path | None) -> IO[bytes]:
    """A file's bytes, or stdin's."""
    if file is None:
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None


def open_output(file: Path | None) -> Any:
    """A context that gives the text stream to write to."""
    if file is None:
        return nullcontext(sys.stdout)
    try:
        return file.open("w", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: cannot be written: {error.strerror}") from None


def _examples(stream: IO[bytes], name: str, on_error: Literal["stop", "skip"], max_length: int) -> Iterator[Example]:
    """One example a line. A bad line stops the stream, or becomes an empty source whose output is empty too."""
    from seq2seq_kit.interfaces import Example

    for number, raw in enumerate(stream, 1):
        problem = None
        try:
            text = raw.decode("utf-8").rstrip("\r\n")
            if len(text) > max_length:
                problem = f"has {len(text):,} characters, more than the limit of {max_length:,} (--max-source-length)"
        except UnicodeDecodeError as error:
            problem = f"is not valid UTF-8 (byte {error.start})"
        if problem:
            if on_error == "stop":
                raise DataError(f"{name}, line {number}: {problem}; --on-error skip leaves its output empty")
            print(f"{name}, line {number}: {problem}; skipped", file=sys.stderr)
            text = ""
        yield Example(text, id=number)


def _text_lines(output: Output, index: int, n_best: int) -> str:
    if n_best == 1:
        return output.text + "\n"
    return "".join(f"{index}\t{o.score:.6f}\t{o.text}\n" for o in [output, *output.alternatives])


def _json_line(output: Output) -> str:
    return json.dumps(as_dict(output), ensure_ascii=False) + "\n"


def as_dict(output: Output) -> dict[str, Any]:
    """An output as plain data."""
    record: dict[str, Any] = {
        "text": output.text,
        "score": output.score if output.score > float("-inf") else None,
        "tokens": output.tokens,
        "token_scores": output.token_scores,
        "source_tokens": output.source_tokens,
        "alternatives": [as_dict(alternative) for alternative in output.alternatives],
    }
    if output.attention is not None:
        record["attention"] = [[round(w, 4) for w in row] for row in output.attention.tolist()]
    return record
