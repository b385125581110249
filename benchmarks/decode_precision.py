"""What do bfloat16 and int8 weights cost a trained model, beside float32, in quality?

``--run`` names the run folder. Its development set, or the files of ``--set data=FILE`` (parallel ones with a comma),
is decoded with beam 5 (``--set beam_size=N``) in each precision, and scored by the metrics of the run's task. Beside
the scores stands how many outputs are those of float32, token for token.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from benchmarks.support import results, translation
from benchmarks.support.ceilings import PRECISIONS
from benchmarks.support.harness import Options

BEAM = 5


def run(options: Options) -> results.Result:
    """Decode and score in each precision."""
    from seq2seq_kit import load
    from seq2seq_kit.data.references import with_references
    from seq2seq_kit.evaluation.evaluate import evaluate

    if options.run is None:
        raise SystemExit("which model? --run RUN names a run folder whose decoder has a native stepper")
    settings = dict(override.partition("=")[::2] for override in options.overrides)
    if not settings.keys() <= {"data", "beam_size"}:
        raise SystemExit(f"--set takes data=FILE and beam_size=N, not {', '.join(options.overrides)}")
    rows: list[results.Row] = []
    outputs: dict[str, list[Any]] = {}
    scores: dict[str, dict[str, float]] = {}
    for precision in PRECISIONS:
        pipeline = load(options.run, threads=options.threads, stepper="native", precision=precision)  # type: ignore[arg-type]
        data = settings["data"].split(",") if "data" in settings else pipeline.config.data.dev
        examples = with_references(pipeline.task.read(data, "stop"), by_source=False)
        search = pipeline.options(beam_size=int(settings.get("beam_size", BEAM)))
        found = evaluate(pipeline.model, pipeline.task, examples, search, **pipeline.parts())
        outputs[precision] = [output.tokens for output in found.outputs]
        scores[precision] = found.metrics
        for name, score in found.metrics.items():
            rows.append(_row(precision, name, score))
        pairs = zip(outputs[precision], outputs[PRECISIONS[0]], strict=True)
        equal = sum(ours == exact for ours, exact in pairs)
        rows.append(_row(precision, "% equal to fp32", 100 * equal / len(examples)))
    differences = {
        f"{precision}, {name}": f"{scores[precision][name] - exact:+.3f}"
        for precision in PRECISIONS[1:]
        for name, exact in scores[PRECISIONS[0]].items()
    }
    return results.Result(
        name="decode_precision",
        date=results.today(),
        machine=results.machine(),
        versions={name: version(name) for name in ("torch", "seq2seq_kit")},
        settings={
            **translation.of_the_run(options.run),
            "data": f"{', '.join(data)}: {len(examples):,} examples",
            "beam": search.beam_size,
            "difference from fp32": differences,
            "signatures": found.signatures,
        },
        rows=rows,
    )


def _row(precision: str, unit: str, value: float) -> results.Row:
    return results.Row(
        case="outputs", system=f"kit, {precision}", unit=unit, samples=[round(value, 3)], median=round(value, 3)
    )
