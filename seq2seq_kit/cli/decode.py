"""One verb for every task that declares one: ``s2s translate RUN [FILE]``, ``s2s summarize``, …"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from seq2seq_kit.cli import search_flags as flags
from seq2seq_kit.cli.examples import read_examples
from seq2seq_kit.cli.files import open_input, open_output
from seq2seq_kit.components import Component
from seq2seq_kit.data.lines import as_text, raw_lines
from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.registry import registry

if TYPE_CHECKING:
    from seq2seq_kit.decoding.options import SearchOptions
    from seq2seq_kit.decoding.pipeline import Pipeline
    from seq2seq_kit.interfaces import Example, Output, Task


def add_to(cli: typer.Typer) -> None:
    """Add a command for each task's verb."""
    for provided in registry().provided("task"):
        component = provided.component
        if component.verb:
            cli.command(component.verb, help=_help(component))(_command(component.verb))


def _help(component: Component) -> str:
    return (
        f"Decode with a run of the task {component.name} ({component.summary}): one line in, one line out, in "
        "order.\n\n"
        f"Example: s2s {component.verb} RUN input.txt --output output.txt"
    )


def _command(verb: str) -> Callable[..., None]:
    def command(
        run: Annotated[Path, typer.Argument(help="The run folder.")],
        file: Annotated[Path | None, typer.Argument(help="Input, one sentence a line; default: stdin.")] = None,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write; default: stdout.")] = None,
        beam_size: flags.BeamSize = None,
        n_best: Annotated[int | None, typer.Option(help="Hypotheses written a sentence: INDEX, SCORE, TEXT.")] = None,
        length_penalty: flags.LengthPenalty = None,
        min_length: flags.MinLength = None,
        max_length: flags.MaxLength = None,
        semantics: flags.Rules = None,
        preset: flags.Preset = None,
        sampling: flags.Sampling = None,
        temperature: flags.Temperature = None,
        top_k: flags.TopK = None,
        top_p: flags.TopP = None,
        seed: flags.Seed = None,
        no_repeat_ngram: flags.NoRepeat = None,
        repetition_penalty: flags.Repetition = None,
        settings: flags.SetOption = None,
        prefix: Annotated[str | None, typer.Option(help="What each output starts with.")] = None,
        mbr: Annotated[str | None, typer.Option(help="Minimum Bayes risk among the --beam-size: chrf, bleu, …")] = None,
        replace_unknown: Annotated[bool, typer.Option(help="Copy source words in place of unknown ones.")] = False,
        dictionary: Annotated[Path | None, typer.Option(help="With it: WORD TAB TRANSLATION lines.")] = None,
        to: Annotated[str | None, typer.Option(help="The target language, of a run that has several.")] = None,
        split_sentences: Annotated[
            bool, typer.Option("--split-sentences", help="Decode the sentences of a line one by one, and join them.")
        ] = False,
        align: Annotated[
            Path | None, typer.Option(help="Write word alignments there, a line an input: SOURCE-TARGET, from 0.")
        ] = None,
        ensemble: flags.Partners = None,
        weights: flags.Weights = None,
        combination: flags.Combination = "linear",
        stream: Annotated[bool, typer.Option("--stream", help="Write words as soon as they are settled.")] = False,
        jsonl: Annotated[
            bool,
            typer.Option("--jsonl", help="Input is JSONL: fields of the task; prefix, constraints, banned, choices."),
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
        attention: Annotated[bool, typer.Option(help="With --json: the attention weights and alignment too.")] = False,
        on_error: Annotated[str, typer.Option(help="A bad line: 'stop', or 'skip' (empty output).")] = "stop",
        skip_bad: flags.SkipBad = False,
        max_source_length: Annotated[
            int | None, typer.Option(help="Most characters of an input line; default: the task's, often 10000.")
        ] = None,
        batch_size: flags.BatchSize = 32,
        checkpoint: flags.Checkpoint = "best",
        device: flags.Device = "cpu",
        threads: flags.Threads = None,
        stepper: flags.Stepper = "auto",
        precision: flags.Precision = "fp32",
    ) -> None:
        from seq2seq_kit.decoding.alignment import pharaoh

        skip = flags.skips(on_error, skip_bad)
        if stream and (as_json or mbr or replace_unknown or (n_best or 1) > 1):
            raise UserError(
                "--stream writes one text as it comes: leave out --json, --n-best, --mbr, --replace-unknown"
            )
        if stream and (split_sentences or align):
            raise UserError("--stream writes one search as it comes: leave out --split-sentences and --align")
        if to and jsonl:
            raise UserError("--to is for lines of text: a JSON object says itself which language is wanted")
        if dictionary and not replace_unknown:
            raise UserError("--dictionary says what unknown words are replaced by: give --replace-unknown too")
        copied = _dictionary(dictionary) if replace_unknown else None
        pipeline = flags.open_runs(run, ensemble, weights, combination, checkpoint, device, threads, stepper, precision)
        if pipeline.verb != verb:
            raise UserError(f"{run} is a run of the task {pipeline.config.task.name!r}: use s2s {pipeline.verb}")
        options = flags.search_options(
            pipeline,
            preset,
            settings,
            beam_size=beam_size,
            n_best=n_best,
            length_penalty=length_penalty,
            min_length=min_length,
            max_length=max_length,
            semantics=semantics,
            sampling=sampling,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            no_repeat_ngram=no_repeat_ngram,
            repetition_penalty=repetition_penalty,
            attention=attention or None,
        )
        interactive = file is None and sys.stdin.isatty()
        name = str(file or "stdin")
        told = partial(_skipped, name) if skip else None
        source = open_input(file)
        examples = read_examples(
            pipeline.task,
            source,
            name,
            as_json=jsonl,
            skip=skip,
            max_length=pipeline.task.longest_line if max_source_length is None else max_source_length,
            prefix=prefix,
            tag=pipeline.task.target_tag(to) if to else "",
        )
        with source, open_output(output, file, dictionary) as sink:
            if stream:
                _stream(pipeline, examples, options, sink, told)
                tell(pipeline.task)
                return
            how: dict[str, Any] = {"batch_size": batch_size, "window": 1 if interactive else None}
            how |= {"replace_unknown": copied, "split_sentences": split_sentences, "align": align is not None}
            how["skip"] = told
            with (
                open_output(align, file, dictionary, output) if align else nullcontext() as alignments,
                closing(pipeline.outputs(examples, options, mbr=mbr, **how)) as answers,
            ):
                for index, answer in enumerate(answers):
                    sink.write(_json_line(answer) if as_json else _text_lines(answer, index, options.n_best))
                    if alignments is not None:
                        alignments.write(pharaoh(answer.facts.get("word_alignment", [])) + "\n")
                    if interactive:
                        sink.flush()
        tell(pipeline.task)

    return command


def tell(task: Task) -> list[str]:
    """Print what the task has to say of what was decoded, and return it."""
    notices = task.notices()
    for notice in notices:
        print(notice, file=sys.stderr)
    return notices


def _skipped(name: str, example: Example, problem: UserError) -> None:
    print(f"{name}, line {example.id}: {problem}; skipped", file=sys.stderr)


def _stream(
    pipeline: Pipeline,
    examples: Iterator[Example],
    options: SearchOptions,
    sink: IO[str],
    told: Callable[[Example, UserError], None] | None,
) -> None:
    """Write the pieces of each output as they come.

    Args:
        told: of an example that cannot be decoded; None: it ends all.
    """
    for place, example in enumerate(examples):
        try:
            for piece in pipeline.stream_example(example, options, place):
                sink.write(one_line(piece))
                sink.flush()
        except UserError as error:
            if told is None:
                raise
            told(example, error)
        sink.write("\n")


def _dictionary(file: Path | None) -> dict[str, str]:
    """The entries of a TSV file; none without a file."""
    if file is None:
        return {}
    entries = {}
    with open_input(file) as lines:
        for number, raw in enumerate(raw_lines(lines), 1):
            try:
                word, tab, translation = as_text(raw).partition("\t")
            except DataError as problem:
                raise DataError(f"{file}, line {number}: {problem}") from None
            if not tab:
                raise DataError(f"{file}, line {number}: must be WORD TAB TRANSLATION")
            entries[word] = translation
    return entries


def one_line(text: str) -> str:
    """A text whose line breaks are spaces: one line in is one line out."""
    return text if text.isprintable() else _BREAKS.sub(" ", text)


_BREAKS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def _text_lines(output: Output, index: int, n_best: int) -> str:
    if n_best == 1:
        return one_line(output.text) + "\n"
    return "".join(f"{index}\t{o.score:.6f}\t{one_line(o.text)}\n" for o in [output, *output.alternatives])


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
    if output.finish != "eos":
        record["finish"] = output.finish
    if output.top_tokens:
        record["top_tokens"] = output.top_tokens
    if output.unmet:
        record["unmet"] = output.unmet
    record |= output.facts
    if output.attention is not None:
        from seq2seq_kit.decoding.copying import hard_alignment

        record["attention"] = [[round(w, 4) for w in row] for row in output.attention.tolist()]
        record["alignment"] = hard_alignment(output.attention)
    return record
