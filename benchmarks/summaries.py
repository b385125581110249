"""How good are subjects for e-mails after some minutes of training, and what does copying bring?

AESLC (Zhang and Tetreault 2019): the body of an e-mail to its subject, 14,436 pairs to train on, of which 500, drawn
with a fixed seed, choose the checkpoint; see ``configs/summaries.yaml``. The systems differ in the decoder alone, but
for the Transformer: plain attention; words copied from the source as well (See et al. 2017), those that the vocabulary
lacks among them; that with coverage. ROUGE-1, ROUGE-2 and ROUGE-L (F1, stemmed) on the development part, by
``s2s evaluate``, beside two baselines without a model. The reference is the subject, as in published figures; an e-mail
that comes several times, with different subjects, counts once and may have any of these. The corpus is not part of the
repository: it is read from ``../shared/data/aeslc``. It needs the plugin: ``pip install ./plugins/seq2seq-kit-copy``.

``--only`` names systems. ``--run FOLDER`` scores the runs FOLDER/SYSTEM that there are.
"""

from __future__ import annotations

import json
import random
import subprocess
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.support import results, sequences, translation
from benchmarks.support.harness import ROOT, Options
from seq2seq_kit.errors import UserError

NAME = "summaries"
HELD_OUT = 500
SEED = 1
UNITS = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rouge_l": "ROUGE-L"}

_LSTM = "{name: lstm, embedding_size: 128, size: 256, dropout: 0.3, attention: %s}"
_TRANSFORMER = "{name: transformer, size: 128, layers: 3, heads: 4, feed_forward_size: 512, dropout: 0.2}"
SYSTEMS: dict[str, tuple[str, ...]] = {
    "attention": (),
    "copy": ("task.copying=true", f"model.decoder={{name: copy, decoder: {_LSTM % 'bahdanau'}}}"),
    "coverage": (
        "task.copying=true",
        f"model.decoder={{name: copy, coverage_loss: 1.0, decoder: {_LSTM % 'coverage'}}}",
    ),
    "transformer": (
        f"model.encoder={_TRANSFORMER}",
        f"model.decoder={_TRANSFORMER}",
        "training.learning_rate=0.001",
        "training.schedule={name: linear, warmup: 400, end: 0.05, steps: 2000}",
    ),
}
"""What each changes in the configuration."""


def run(options: Options) -> results.Result:
    """Train and score."""
    if find_spec("seq2seq_kit_copy") is None:
        raise UserError("summaries needs the plugin: pip install ./plugins/seq2seq-kit-copy")
    data = translation.DATA / "aeslc"
    prepare(data / "train.jsonl", sequences.CONVERTED / NAME)
    rows: list[results.Row] = []
    settings: dict[str, object] = {
        "references": "the subject; of an e-mail that comes several times, any of its subjects"
    }
    baselines: dict[str, Any] = {}
    for system, changes in SYSTEMS.items():
        if not options.wants(system) or (options.run and not (options.run / system).exists()):
            continue
        changed = replace(options, overrides=(*changes, *options.overrides))
        folder = options.run / system if options.run else translation.train(NAME, changed, case=system)
        start = time.perf_counter()
        report = evaluate(folder, data / "dev.jsonl", options.threads)
        took = f"{time.perf_counter() - start:.0f} s for {report['examples']:,} e-mails, start-up included"
        rows += [_row(system, unit, report["metrics"][name]) for name, unit in UNITS.items()]
        facts = {**translation.of_the_run(folder), "decoding": took}
        settings |= {f"{system}: {name}": value for name, value in facts.items()}
        baselines, settings["ROUGE"] = report["baselines"], report["signatures"]["rouge1"]
    rows += [_row(name, unit, found[metric]) for name, found in baselines.items() for metric, unit in UNITS.items()]
    return translation.result(NAME, settings, rows)


def prepare(source: Path, folder: Path) -> None:
    """Write the part that is trained on and the part that chooses the checkpoint into ``folder``."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    random.Random(SEED).shuffle(lines)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "validation.jsonl").write_text("".join(lines[:HELD_OUT]), encoding="utf-8")
    (folder / "train.jsonl").write_text("".join(lines[HELD_OUT:]), encoding="utf-8")


def evaluate(folder: Path, data: Path, threads: int) -> dict[str, Any]:
    """What ``s2s evaluate --json`` says of a run."""
    command = [*translation.S2S, "evaluate", str(folder), "--data", str(data), "--json", "--threads", str(threads)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _row(system: str, unit: str, value: float) -> results.Row:
    value = round(value, 2)
    return results.Row(case="AESLC, development part", system=system, unit=unit, samples=[value], median=value)
