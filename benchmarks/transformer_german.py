"""How good does English to German get on Multi30k with a Transformer of 2.6 million parameters?

As published results are made: lowercased, normalised and tokenized by Moses' rules, one BPE vocabulary of 10,000; see
``configs/multi30k_transformer.yaml``. *Tokenized BLEU* compares tokens with tokens (12,103 in the German references of
``test_2016_flickr``); beside it stands sacreBLEU of detokenized text. Decoded with beam 5: by the checkpoint with the
best development BLEU, and by the average of the last ten validations' weights.

Training takes hours: one that was broken off goes on with ``--run RUN``. ``--set seed=2`` trains another seed; the
result has a sample for each seed that was scored. The corpus is read from ``../shared/data/multi30k``.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from sacrebleu.metrics import BLEU

from benchmarks.support import results, sequences, translation
from benchmarks.support.harness import ROOT, Options
from benchmarks.support.moses import moses

CONFIG = "multi30k_transformer"
REFERENCE_TOKENS = {"de": 12103}
"""Of ``test_2016_flickr``, by which published tokenizations are told apart."""
JOEYNMT = {6.3: 26.95, 9.8: 31.88, 16.6: 34.18}
"""Minutes of training and greedy development BLEU of JoeyNMT 2.3 with 2.3 million parameters on two such cores."""
BEAM, AVERAGED = 5, 10
SCORES = "scores.json"


def run(options: Options) -> results.Result:
    """Train and score English to German."""
    return run_pair("transformer_german", "de", options)


def run_pair(name: str, language: str, options: Options) -> results.Result:
    """Train and score English to ``language``; the result is of all seeds that were scored so far."""
    converted = convert(language)
    # Validations decode greedily, as the rival's did; the test is decoded with a beam.
    data = (f"data.train=[{converted}/train.tsv]", f"data.dev=[{converted}/val.tsv]", "search.beam_size=1")
    folder = translation.trained(CONFIG, replace(options, overrides=(*data, *options.overrides)), f"en-{language}")
    scores = score(folder, language, options.threads)
    (folder / SCORES).write_text(json.dumps(scores, indent=2), encoding="utf-8")
    return gather(name, language, [*sorted(ROOT.glob(f"runs/benchmark-{CONFIG}-en-{language}-*")), folder])


def convert(language: str) -> Path:
    """Write the tokenized training and development parts, once; their folder."""
    folder = sequences.CONVERTED / f"multi30k.en-{language}"
    if not (folder / "val.tsv").exists():
        for part in ("train", "val"):
            sides = [moses(_lines(part, side), "tokenize", side) for side in ("en", language)]
            sequences.write(folder / f"{part}.tsv", zip(*sides, strict=True))
    return folder


def score(folder: Path, language: str, threads: int, averaged: int = AVERAGED) -> dict[str, Any]:
    """Scores on ``test_2016_flickr``: {checkpoint: {unit: score}}; and how they came about."""
    test = "test_2016_flickr"
    sources = moses(_lines(test, "en"), "tokenize", "en")
    plain = _lines(test, language)
    references = moses(plain, "tokenize", language)
    count = sum(len(line.split()) for line in references)
    if count != REFERENCE_TOKENS.get(language, count):
        raise RuntimeError(f"{count:,} tokens in the references, not {REFERENCE_TOKENS[language]:,}: another tokenizer")
    tokenized = BLEU(tokenize="none", force=True)
    sacrebleu = BLEU(lowercase=True)
    systems: dict[str, Any] = {}
    for system, run in {"best checkpoint": folder, f"last {averaged} averaged": _average(folder, averaged)}.items():
        outputs = translation.translate(run, sources, threads, "--beam-size", str(BEAM))
        systems[system] = {
            "tokenized BLEU": round(tokenized.corpus_score(outputs, [references]).score, 2),
            "sacreBLEU": round(sacrebleu.corpus_score(moses(outputs, "detokenize", language), [plain]).score, 2),
        }
    signatures = {"tokenized BLEU": str(tokenized.get_signature()), "sacreBLEU": str(sacrebleu.get_signature())}
    return {"systems": systems, "reference tokens": count, "signatures": signatures}


def _average(folder: Path, last: int) -> Path:
    out = folder.with_name(f"{folder.name}.averaged")
    if not out.exists():
        subprocess.run([*translation.S2S, "average", folder, "--last", str(last), "--out", out], check=True)
    return out


def gather(name: str, language: str, folders: Sequence[Path]) -> results.Result:
    """One result of the last folder and of all others of its configuration that were scored, a sample a seed."""
    scored: dict[int, tuple[Path, dict[str, Any], dict[str, Any]]] = {}
    for folder in folders:  # of several runs of a seed, the last
        if (folder / SCORES).exists() and _but_the_seed(folder) == _but_the_seed(folders[-1]):
            facts: dict[str, Any] = translation.of_the_run(folder)
            scored[facts["seed"]] = folder, facts, json.loads((folder / SCORES).read_text(encoding="utf-8"))
    runs = [scored[seed] for seed in sorted(scored)]
    _, facts, first = runs[0]
    rows = []
    for system, figures in first["systems"].items():
        for unit in figures:
            samples = [one["systems"][system][unit] for _, _, one in runs]
            case = f"test_2016_flickr en-{language}, {system}"
            rows.append(results.Row(case=case, system="kit", unit=unit, samples=samples, median=median(samples)))
    settings = {
        **facts,
        "seed": sorted(scored),
        "mean and standard deviation": {
            f"{row.case}, {row.unit}": f"{fmean(row.samples):.2f} ± {stdev(row.samples):.2f}"
            for row in rows
            if len(row.samples) > 1
        },
        "reference tokens": first["reference tokens"],
        "signatures": first["signatures"],
        "greedy development BLEU (tokenized) by minutes, by seed": [curve(folder) for folder, _, _ in runs],
    }
    if language == "de":
        settings["of it after as many minutes as JoeyNMT 2.3, which had"] = {
            f"{minutes} min, {theirs}": [after(curve(folder), minutes) for folder, _, _ in runs]
            for minutes, theirs in JOEYNMT.items()
        }
    return translation.result(name, settings, rows)


def _but_the_seed(folder: Path) -> dict[str, Any]:
    """The configuration of a run."""
    config: dict[str, Any] = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))["config"]
    return config | {"seed": None}


def curve(folder: Path) -> dict[str, float]:
    """Minutes of training, validations included, and the development BLEU then."""
    records = map(json.loads, (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    return {f"{r['seconds'] / 60:.1f}": round(r["bleu"], 2) for r in records if r["kind"] == "validation"}


def after(points: dict[str, float], minutes: float) -> float | None:
    """What the last validation within so many minutes found; None: there was none yet."""
    return next((bleu for at, bleu in reversed(points.items()) if float(at) <= minutes), None)


def _lines(part: str, language: str) -> list[str]:
    return (translation.DATA / "multi30k" / f"{part}.{language}").read_text(encoding="utf-8").splitlines()
