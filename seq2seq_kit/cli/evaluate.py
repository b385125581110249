"""``s2s evaluate RUN --data FILE``: decode a test set and score it with the task's metrics."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from seq2seq_kit.cli import search_flags as flags
from seq2seq_kit.cli.decode import one_line, tell
from seq2seq_kit.cli.files import check_output, open_output
from seq2seq_kit.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from seq2seq_kit.decoding.options import SearchOptions
    from seq2seq_kit.decoding.pipeline import Pipeline
    from seq2seq_kit.evaluation.evaluate import Evaluation
    from seq2seq_kit.evaluation.report.facts import ReportedRun
    from seq2seq_kit.interfaces import Output


def add_to(cli: typer.Typer) -> None:
    """Add the command ``evaluate``."""
    cli.command("evaluate")(evaluate)


def evaluate(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="The run folder; several are compared with the first.")
    ],
    data: Annotated[list[str], typer.Option(help="A data file; give it twice for parallel files (source, target).")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Also write the outputs, one a line.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write a web page: scores with confidence, lengths, examples, attention.")
    ] = None,
    beam_size: flags.BeamSize = None,
    length_penalty: flags.LengthPenalty = None,
    max_length: flags.MaxLength = None,
    preset: flags.Preset = None,
    settings: flags.SetOption = None,
    ensemble: flags.Partners = None,
    weights: flags.Weights = None,
    combination: flags.Combination = "linear",
    on_error: flags.OnError = "stop",
    skip_bad: flags.SkipBad = False,
    each_line: Annotated[
        bool, typer.Option("--each-line", help="Score every line alone, a source that comes again too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    show: Annotated[int, typer.Option(help="How many outputs to show beside their references.", min=0)] = 5,
    batch_size: flags.BatchSize = 32,
    checkpoint: flags.Checkpoint = "best",
    device: flags.Device = "cpu",
    threads: flags.Threads = None,
    stepper: flags.Stepper = "auto",
    precision: flags.Precision = "fp32",
) -> None:
    """Decode a test set and score it. Several targets of one source are several references. A language model is
    measured by the perplexity of the texts. Several runs are compared by BLEU, chrF and TER with paired bootstrap
    resampling. With --report all of it goes into one HTML file too, which loads nothing from elsewhere.

    Examples:

    s2s evaluate runs/en-fr --data test.tsv --report test.html

    s2s evaluate runs/en-fr runs/en-fr-transformer --data test.tsv
    """
    how = "skip" if flags.skips(on_error, skip_bad) else "stop"
    if len(runs) > 1 and (ensemble or output):
        raise UserError(f"{'--ensemble' if ensemble else '--output'} is for one run: give one, or leave it out")
    if len(set(runs)) < len(runs):
        raise UserError("a run is given twice: give different ones to be compared")
    if output is not None:
        check_output(output, *map(Path, data), *([report] if report else []))
    if report is not None:
        from seq2seq_kit.evaluation.report.attention import Keeper
        from seq2seq_kit.evaluation.report.examples import TABLE_ROWS
        from seq2seq_kit.evaluation.report.facts import detailed, reported_run
        from seq2seq_kit.evaluation.report.page import check_path, write_report

        check_path(report, data)
    named = {"beam_size": beam_size, "length_penalty": length_penalty, "max_length": max_length}
    results: dict[str, Evaluation] = {}
    reported: list[ReportedRun] = []
    for run in runs:
        pipeline = flags.open_runs(run, ensemble, weights, combination, checkpoint, device, threads, stepper, precision)
        options = flags.search_options(pipeline, preset, settings, **named)
        if pipeline.task.source_spec is None:
            if len(runs) > 1:
                raise UserError(f"{run} is a language model: it writes nothing to be compared; evaluate it alone")
            if output is not None or report is not None:
                option = "--report" if output is None else "--output"
                raise UserError(f"{option}: {run} is a language model, which is evaluated without writing anything")
            _evaluate_texts(pipeline, data, how, options, as_json, batch_size)
            return
        by_source = pipeline.task.group_references and not each_line
        if report is not None:
            options = detailed(options)
        keep = None if report is None else Keeper(TABLE_ROWS)
        with _written(output, keep) as kept:
            found = _evaluated(pipeline, data, how, by_source, options, batch_size, kept)
        results[str(run)] = found.result
        if report is not None:
            name = " + ".join(map(str, [run, *(ensemble or [])]))
            measured = (found.result, found.log_probs, found.notices)
            reported.append(reported_run(name, pipeline, options, *measured, checkpoint, batch_size))
    title = " ".join(data)
    if len(runs) > 1:
        _compare(results, title, as_json)
    else:
        _print(results[str(runs[0])], title, as_json, show)
    if report is not None:
        write_report(report, reported, title)
        print(f"{report}: written", file=sys.stderr)


@dataclass(frozen=True)
class _Evaluated:
    """What was measured of one run."""

    result: Evaluation
    notices: list[str]
    log_probs: NDArray[np.float64] | None  # [N, 2]: of each target the log-probability, and its tokens


@contextmanager
def _written(
    output: Path | None, keep: Callable[[Output], Output] | None
) -> Iterator[Callable[[Output], Output] | None]:
    """A context with ``keep`` that also writes each output into the file ``output``, a line each, before any is scored:
    a metric may fail."""
    if output is None:
        yield keep
        return
    with ExitStack() as stack:
        opened: list[IO[str]] = []  # when there is something to write, and not before

        def written(one: Output) -> Output:
            if not opened:
                opened.append(stack.enter_context(open_output(output)))
            opened[0].write(one_line(one.text) + "\n")
            return keep(one) if keep else one

        yield written


def _print(result: Evaluation, title: str, as_json: bool, show: int) -> None:
    """One evaluation as a table or as JSON."""
    if as_json:
        print(json.dumps(result.report(), ensure_ascii=False))
    else:
        print_evaluation(result, title, show)


def _evaluated(
    pipeline: Pipeline,
    data: list[str],
    on_error: str,
    by_source: bool,
    options: SearchOptions,
    batch_size: int,
    keep: Callable[[Output], Output] | None = None,
) -> _Evaluated:
    """All that is measured of one run; ``keep`` as for :func:`~seq2seq_kit.evaluation.evaluate.evaluate`."""
    import numpy as np
    from rich.progress import Progress

    from seq2seq_kit.console import stderr
    from seq2seq_kit.data.references import with_references
    from seq2seq_kit.evaluation.evaluate import baseline_scores
    from seq2seq_kit.evaluation.evaluate import evaluate as score
    from seq2seq_kit.evaluation.perplexity import perplexity

    examples = with_references(pipeline.task.read(data, on_error), by_source=by_source)  # type: ignore[arg-type]
    with Progress(console=stderr(), transient=True, disable=not stderr().is_terminal) as progress:
        bar = progress.add_task("decoding", total=len(examples))
        result = score(
            pipeline.model,
            pipeline.task,
            examples,
            options,
            device=pipeline.device,
            batch_size=batch_size,
            progress=lambda n: progress.advance(bar, n),
            keep=keep,
            **pipeline.parts(),
        )
    notices, log_probs = tell(pipeline.task), None
    result.baselines = baseline_scores(pipeline.task, examples)
    if pipeline.task.measures_perplexity:
        scores: list[tuple[float, int]] = []
        found = perplexity(
            pipeline,
            examples,
            replace(options, temperature=1.0),
            batch_size=batch_size,
            on_score=lambda score: scores.append((score.log_prob, len(score.tokens))),
        )
        log_probs = np.array(scores, dtype=np.float64).reshape(-1, 2)
        result.metrics["perplexity"], result.signatures["perplexity"] = found.value, "of a token of the references"
        pipeline.task.notices()  # of the same examples again
    return _Evaluated(result, notices, log_probs)


def _compare(results: dict[str, Evaluation], title: str, as_json: bool) -> None:
    """Several runs as a table or as JSON: BLEU, chrF and TER with their significance, then the runs' own metrics."""
    from rich.console import Console
    from rich.table import Table

    from seq2seq_kit.evaluation.comparison import SAMPLES, compare

    first, *others = results.values()
    references = [example.references for example in first.examples]
    for run, other in zip(list(results)[1:], others, strict=True):
        if [example.references for example in other.examples] != references:
            raise UserError(f"{run}: its task reads other examples from {title} than that of {next(iter(results))}")
    texts = {run: [output.text for output in result.outputs] for run, result in results.items()}
    found, signatures = compare(texts, references)
    if as_json:
        comparison = {metric: {run: vars(one) for run, one in scores.items()} for metric, scores in found.items()}
        report = {"runs": {run: result.report() for run, result in results.items()}, "comparison": comparison}
        print(json.dumps({**report, "signatures": signatures}, ensure_ascii=False))
        return
    console = Console()
    table = Table(title=f"{title}: {len(references):,} sources", title_justify="left")
    table.add_column("metric")
    for run in results:
        table.add_column(run, justify="right", overflow="fold")
    for metric, scores in found.items():
        cells = [
            f"{one.score:.2f} ± {one.half_width:.2f}" + ("" if one.p_value is None else f"\np = {one.p_value:.3f}")
            for one in scores.values()
        ]
        table.add_row(metric, *cells)
    for metric in first.metrics:
        if metric not in ("bleu", "chrf", "ter") and all(metric in other.metrics for other in others):
            table.add_row(metric, *(f"{result.metrics[metric]:.2f}" for result in results.values()))
    console.print(table)
    console.print(
        f"± 95% confidence, p the chance of such a difference to {next(iter(results))} if there were none: paired "
        f"bootstrap, {SAMPLES:,} resamples, by sacreBLEU",
        highlight=False,
        soft_wrap=True,
    )
    for signature in signatures.values():
        console.print(signature, style="dim", highlight=False, soft_wrap=True)


def _evaluate_texts(
    pipeline: Pipeline, data: list[str], on_error: str, options: SearchOptions, as_json: bool, batch_size: int
) -> None:
    """The perplexity of texts, as a line or as JSON."""
    from seq2seq_kit.evaluation.perplexity import perplexity

    texts = pipeline.task.read(data, on_error)  # type: ignore[arg-type]
    result = perplexity(pipeline, texts, options, batch_size=batch_size)
    if as_json:
        print(json.dumps(result.report()))
    else:
        print(f"{' '.join(data)}: perplexity {result.value:.4g} ({result.tokens:,} tokens in {result.texts:,} texts)")


def print_evaluation(result: Evaluation, title: str, show: int) -> None:
    """The metrics as a table, then some outputs beside their references."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    rate = result.tokens / max(result.seconds, 1e-9)
    table = Table(title=f"{title}: {len(result.examples):,} sources, {rate:,.0f} tokens/s", title_justify="left")
    table.add_column("metric")
    table.add_column("score", justify="right")
    for baseline in result.baselines:
        table.add_column(baseline, justify="right")
    table.add_column("signature", style="dim")
    for name, value in result.metrics.items():
        beside = (f"{scores[name]:.2f}" for scores in result.baselines.values())
        table.add_row(name, f"{value:.2f}", *beside, result.signatures[name])
    console.print(table)
    if show:
        console.print(outputs_table(result, show))


def outputs_table(result: Evaluation, count: int) -> Table:
    """Sources, outputs (green where equal to a reference) and first references, side by side."""
    from rich.table import Table
    from rich.text import Text

    table = Table("source", "output", "reference", title="Some outputs", title_justify="left")
    for example, output in list(zip(result.examples, result.outputs, strict=True))[:count]:
        reference = example.references[0] if example.references else ""
        answer = Text(output.text, style="green" if output.text in example.references else "")
        table.add_row(Text(example.source), answer, Text(reference))
    return table
