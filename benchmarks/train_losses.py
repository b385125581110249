"""Do the models of ``train_speed`` learn alike: the losses of 300 updates on the same batches, and the peak memory.

Ours beside Hugging Face's Transformer, in float32 and bfloat16, with two seeds each, which show how much chance does.
Learning rate 5e-4 after 100 updates of linear warm-up, dropout 0.1, no label smoothing.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from statistics import fmean, median

from benchmarks.support import results
from benchmarks.support.harness import ROOT, Options
from benchmarks.train_speed import DROPOUT, HF, KIT, TOKENS, make_update, systems

CASES = ("Transformer, float32", "Transformer, bfloat16")
UPDATES, SEEDS, WARM_UP, RATE = 300, (1, 2), 100, 5e-4
REPORTED = (50, 100, 200, 300)
"""Losses are given as means over the twenty updates that end with these."""


def run(options: Options) -> results.Result:
    """Train one after the other, each in a process of its own."""
    rows, curves = [], {}
    for case in CASES:
        for system in (KIT, HF):
            found = [_train(systems()[system][0], system, case, seed, options.threads) for seed in SEEDS]
            curves[f"{case}, {system}"] = [
                " ".join(f"{fmean(one['losses'][end - 20 : end]):.3f}" for end in REPORTED) for one in found
            ]
            figures = {
                f"{case}: loss of updates 281 to 300": ("nats", [fmean(one["losses"][-20:]) for one in found]),
                f"{case}: peak memory": ("MiB", [one["peak_mib"] for one in found]),
            }
            for name, (unit, samples) in figures.items():
                samples = [round(value, 4) for value in samples]
                rows.append(results.Row(case=name, system=system, unit=unit, samples=samples, median=median(samples)))
    return results.Result(
        name="train_losses",
        date=results.today(),
        machine=results.machine(),
        versions=found[0]["versions"],
        settings={
            "work": f"{UPDATES} updates of at most {TOKENS:,} target tokens of Multi30k en-de",
            "seeds": list(SEEDS),
            "threads": options.threads,
            f"mean losses of the twenty updates up to {', '.join(map(str, REPORTED))}, by seed": curves,
        },
        rows=rows,
    )


def _train(python: str, system: str, case: str, seed: int, threads: int) -> dict[str, object]:
    command = [python, "-m", "benchmarks.train_losses", system, case, str(seed)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    print(f"{system}, {case}, seed {seed}", file=sys.stderr, flush=True)
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def losses(system: str, case: str, seed: int, updates: int = UPDATES) -> list[float]:
    """The mean loss of each update."""
    from benchmarks.support.training_batches import encoded, epoch

    update = make_update(system, case, DROPOUT, seed)
    pairs, found, number = encoded(), [], 0
    while len(found) < updates:
        for batch in epoch(pairs, TOKENS, number)[: updates - len(found)]:
            found.append(update(batch, RATE * min(1.0, (len(found) + 1) / WARM_UP)))
        number += 1
    return found


def main(system: str, case: str, seed: str) -> None:
    from importlib.metadata import version

    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    found = losses(system, case, int(seed))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    versions = {d: version(d) for d in ("torch", "seq2seq_kit", *(["transformers"] if system == HF else []))}
    print(json.dumps({"losses": found, "peak_mib": round(peak), "versions": versions}))


if __name__ == "__main__":
    main(*sys.argv[1:])
