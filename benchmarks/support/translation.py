"""Trains a translation model by the command line, as a user would, and scores it on a test set with sacreBLEU."""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sacrebleu.metrics import BLEU, CHRF

from benchmarks.support import results
from benchmarks.support.harness import ROOT, Options
from benchmarks.support.load import ForeignLoad
from seq2seq_kit.registry import registry

DATA = ROOT.parent / "shared" / "data"
"""The real corpora, which are not part of the repository."""
S2S = [sys.executable, "-m", "seq2seq_kit"]
FACTS = "benchmark.json"
"""How the training went, kept in the run folder, so that it can be scored again (``--run``)."""


@dataclass(frozen=True)
class TestSet:
    """Sources, and for each one or more references."""

    name: str
    sources: Sequence[str]
    references: Sequence[Sequence[str]]
    lowercase: bool = False
    """Whether to compare without case."""


def run(name: str, test: TestSet, options: Options) -> results.Result:
    """Train ``configs/NAME.yaml`` and score it on ``test``, decoded with the configuration's search options."""
    folder = trained(name, options)
    settings = of_the_run(folder)
    start = time.perf_counter()
    outputs = translate(folder, test.sources, options.threads)
    settings["decoding"] = f"{time.perf_counter() - start:.0f} s for {len(test.sources):,} sentences, start-up included"
    streams = _streams(test.references)
    rows = []
    for unit, metric in {"BLEU": BLEU(lowercase=test.lowercase), "chrF": CHRF(lowercase=test.lowercase)}.items():
        score = round(metric.corpus_score(outputs, streams).score, 2)  # type: ignore[arg-type]  # None is allowed
        rows.append(results.Row(case=test.name, system="kit", unit=unit, samples=[score], median=score))
        settings[f"{unit} signature"] = str(metric.get_signature())
    return result(name, settings, rows)


def result(name: str, settings: dict[str, object], rows: list[results.Row]) -> results.Result:
    """The result of a benchmark that was run here and now."""
    return results.Result(
        name=name,
        date=results.today(),
        machine=results.machine(),
        versions={d: version(d) for d in ("torch", "seq2seq_kit", "sacrebleu")},
        settings=settings,
        rows=rows,
    )


def train(name: str, options: Options, case: str = "") -> Path:
    """Train ``configs/NAME.yaml`` and return the run folder, in which a file tells how the training went.

    Args:
        case: part of the folder's name, where a configuration is trained on several corpora.
    """
    started = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    folder = ROOT / "runs" / "-".join(filter(None, ("benchmark", name, case, started)))
    overrides = [part for override in options.overrides for part in ("--set", override)]
    facts = _train([f"benchmarks/configs/{name}.yaml", "--out", str(folder), *overrides], options)
    facts = {"config": f"benchmarks/configs/{name}.yaml"} | facts
    (folder / FACTS).write_text(json.dumps(facts, indent=2), encoding="utf-8")
    return folder


def trained(name: str, options: Options, case: str = "") -> Path:
    """The run folder of a new training, or of ``--run``: if that was broken off, it is trained to its end first."""
    if options.run is None:
        return train(name, options, case)
    if not (options.run / FACTS).exists():
        resume(options.run, options)
    return options.run


def resume(folder: Path, options: Options) -> None:
    """Go on with a training that was broken off; what is told of how it went is of this last part."""
    facts = {"resumed": True} | _train(["--resume", str(folder)], options)
    (folder / FACTS).write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _train(arguments: Sequence[str], options: Options) -> dict[str, object]:
    """Run ``s2s train``; how long it took and how much of the machine others used meanwhile."""
    command = [*S2S, "train", *arguments]
    start = time.perf_counter()
    load = ForeignLoad(_children_seconds)
    process = subprocess.Popen([*command, "--threads", str(options.threads)], cwd=ROOT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        **({"changed": " ".join(options.overrides)} if options.overrides else {}),
        "minutes, start-up and validation included": round((time.perf_counter() - start) / 60, 1),
        "threads": options.threads,
        "CPU minutes": round((used.ru_utime + used.ru_stime) / 60, 1),
        "peak memory": f"{used.ru_maxrss / 2**20:.2f} GiB",
        "other load while training": f"{load.share():.0%} of the machine",
    }


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def translate(folder: Path, sources: Sequence[str], threads: int, *options: str) -> list[str]:
    """Run the verb of the run's task, ``s2s translate`` for instance."""
    task = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))["config"]["task"]["name"]
    verb = registry().find("task", task).component.verb
    command = [*S2S, str(verb), str(folder), "--threads", str(threads), *options]
    text = "".join(source + "\n" for source in sources)
    done = subprocess.run(command, cwd=ROOT, input=text, stdout=subprocess.PIPE, text=True, check=True)
    outputs = done.stdout.split("\n")[:-1]
    if len(outputs) != len(sources):
        raise RuntimeError(f"{len(sources)} sources gave {len(outputs)} outputs")
    return outputs


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """sacreBLEU's form: the first reference of each sentence, then the second (None where there is none), …"""
    most = max(map(len, references))
    return [[r[i] if i < len(r) else None for r in references] for i in range(most)]


def of_the_run(folder: Path) -> dict[str, object]:
    """What the run folder tells about the training."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last, best = records[-1], [r for r in records if r.get("best")][-1]
    manifest = json.loads((folder / "checkpoint.json").read_text())
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8")) if (folder / FACTS).exists() else {}
    return facts | {
        "seed": manifest["config"]["seed"],
        "parameters": f"{sum(map(math.prod, shapes)):,}",
        "training": f"{last['step']:,} steps, {last['epoch']} epochs, {last['seconds'] / 60:.1f} minutes",
        "best checkpoint": f"step {best['step']:,}",
    }
