"""``s2s chat RUN``: a conversation, by hand or through a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seq2seq_kit.cli import search_flags as flags
from seq2seq_kit.cli.decode import one_line
from seq2seq_kit.data.lines import as_text, raw_lines
from seq2seq_kit.errors import DataError, UserError

if TYPE_CHECKING:
    from seq2seq_kit.decoding.conversation import Conversation

PROMPT = "> "


def add_to(cli: typer.Typer) -> None:
    """Add the command ``chat``."""
    cli.command("chat")(chat)


def chat(
    run: Annotated[Path, typer.Argument(help="The run folder, of the task dialogue or another that converses.")],
    beam_size: flags.BeamSize = None,
    sampling: flags.Sampling = None,
    temperature: flags.Temperature = None,
    top_k: flags.TopK = None,
    top_p: flags.TopP = None,
    seed: flags.Seed = None,
    max_length: flags.MaxLength = None,
    no_repeat_ngram: flags.NoRepeat = None,
    repetition_penalty: flags.Repetition = None,
    settings: flags.SetOption = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Pass over input that cannot be read.")] = False,
    checkpoint: flags.Checkpoint = "best",
    device: flags.Device = "cpu",
    threads: flags.Threads = None,
    stepper: flags.Stepper = "auto",
    precision: flags.Precision = "fp32",
) -> None:
    """Talk with a run: one line is one turn, and each answer is one line. /help lists the commands.

    Example: printf 'I want to eat out.\\nIn San Jose.\\n' | s2s chat RUN
    """
    from seq2seq_kit.decoding.conversation import Conversation

    pipeline = flags.open_runs(run, None, None, "linear", checkpoint, device, threads, stepper, precision)
    options = flags.search_options(
        pipeline,
        None,
        settings,
        beam_size=beam_size,
        sampling=sampling,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        max_length=max_length,
        no_repeat_ngram=no_repeat_ngram,
        repetition_penalty=repetition_penalty,
    )
    conversation = Conversation(pipeline)
    conversation.options = options
    by_hand = sys.stdin.isatty()
    for turn in _typed() if by_hand else _piped(pipeline.task.longest_line, skip_bad):
        try:
            if turn.startswith("/"):
                _command(conversation, turn)
            else:
                _answer(conversation, turn)
        except UserError as error:
            if not (by_hand or skip_bad):
                raise
            print(f"Error: {error}", file=sys.stderr)


def _answer(conversation: Conversation, turn: str) -> None:
    """Print an answer as it comes. Ctrl-C ends the answer, and the turn is as if it had not been said."""
    try:
        for piece in conversation.say(turn):
            sys.stdout.write(one_line(piece))
            sys.stdout.flush()
    except KeyboardInterrupt:
        if not sys.stdin.isatty():
            raise
        print(" … (stopped; this turn is not kept)", file=sys.stderr, end="")
    sys.stdout.write("\n")
    sys.stdout.flush()
    for notice in conversation.pipeline.task.notices():
        print(notice, file=sys.stderr)


def _typed() -> Iterator[str]:
    """Turns from a terminal, with the line editing that Python has there, until Ctrl-D."""
    with suppress(ImportError):
        import readline  # noqa: F401  # input() then edits lines and remembers them
    print("/help lists the commands; Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            line = input(PROMPT).strip()
        except EOFError:
            print(file=sys.stderr)
            return
        except UnicodeDecodeError:
            print("Error: that is not valid UTF-8", file=sys.stderr)
            continue
        if line in ("/quit", "/exit"):
            return
        if line:
            yield line


def _piped(longest: int, skip: bool) -> Iterator[str]:
    """Turns from a pipe or a file, a line each; empty lines are passed over."""
    for number, raw in enumerate(raw_lines(sys.stdin.buffer), 1):
        try:
            line = as_text(raw).strip()
            problem = f"has {len(line):,} characters, more than {longest:,}" if len(line) > longest else ""
        except DataError as error:
            line, problem = "", str(error)
        if problem and not skip:
            raise DataError(f"stdin, line {number}: {problem}; --skip-bad passes over it")
        if problem:
            print(f"stdin, line {number}: {problem}; skipped", file=sys.stderr)
        elif line in ("/quit", "/exit"):
            return
        elif line:
            yield line


def _command(conversation: Conversation, line: str) -> None:
    """Do what a line that begins with a slash says; the notes go to stderr."""
    name, _, argument = line[1:].partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise UserError(
            f"there is no command /{name} (there is: {', '.join('/' + known for known in COMMANDS)}, /quit)"
        )
    print(command(conversation, argument.strip()), file=sys.stderr)


def _reset(conversation: Conversation, _: str) -> str:
    """Forget all that was said."""
    conversation.reset()
    return "forgotten: the next turn is the first"


def _undo(conversation: Conversation, _: str) -> str:
    """Take the last turn and its answer back."""
    turn = conversation.undo()
    return "there is nothing to take back" if turn is None else f"taken back: {turn}"


def _history(conversation: Conversation, _: str) -> str:
    """Show what was said."""
    speakers = ("you", "it")
    lines = [f"{speakers[place % 2]:>3}  {turn}" for place, turn in enumerate(conversation.turns)]
    return "\n".join(lines) or "nothing was said yet"


def _beam(conversation: Conversation, argument: str) -> str:
    """Search the likeliest answer from now on: /beam 5, with so many hypotheses."""
    size = _number(argument or "5", int, "/beam", "a whole number")
    _change(conversation, beam_size=size, n_best=1, sampling="off", temperature=1.0)
    return f"answers are searched with a beam of {size}"


def _sample(conversation: Conversation, argument: str) -> str:
    """Draw answers from now on: /sample 0.7, at that temperature."""
    temperature = _number(argument or "0.7", float, "/sample", "a temperature")
    _change(conversation, beam_size=1, n_best=1, sampling="tokens", temperature=temperature)
    return f"answers are drawn at temperature {temperature:g}, top_p {conversation.options.top_p:g}"


def _help(_: Conversation, __: str) -> str:
    """List the commands."""
    lines = [f"/{name:<8} {command.__doc__}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "/quit     End."])


COMMANDS: dict[str, Callable[[Conversation, str], str]] = {
    "reset": _reset,
    "undo": _undo,
    "history": _history,
    "beam": _beam,
    "sample": _sample,
    "help": _help,
}


def _change(conversation: Conversation, **options: object) -> None:
    """Replace options, if they are possible."""
    from seq2seq_kit.decoding.search import check_options

    changed = replace(conversation.options, **options)  # type: ignore[arg-type]
    check_options(changed)
    conversation.options = changed


def _number(text: str, kind: type[int] | type[float], command: str, what: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"{command} {text}: must be {what}") from None
