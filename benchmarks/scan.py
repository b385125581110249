"""How many of SCAN's commands are carried out without a fault, on the splits ``simple`` and ``length``?

Commands such as "jump twice after walk left" to actions (Lake and Baroni 2018); see ``configs/scan.yaml``. ``simple``
holds out a random fifth; ``length`` trains on at most 22 actions and tests on more. 5% of each training part, drawn
with a fixed seed, choose the checkpoint. ``--run`` scores a run on the split that it was trained on. The corpus is not
part of the repository: it is read from ``../shared/data/scan``.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

from benchmarks.support import results, sequences, translation
from benchmarks.support.harness import Options

NAME = "scan"
SPLITS = ("simple", "length")
VALIDATION = 0.05
SEED = 1

Pairs = list[tuple[str, str]]


def run(options: Options) -> results.Result:
    """Train a model on each split and score it on the split's test part."""
    data = translation.DATA / "scan"
    rows: list[results.Row] = []
    settings: dict[str, object] = {}
    for split in (split_of(options.run),) if options.run else SPLITS:
        folder = sequences.CONVERTED / f"{NAME}-{split}"
        prepare(data / f"tasks_train_{split}.txt", folder)
        files = (f"data.train=[{folder}/train.tsv]", f"data.dev=[{folder}/validation.tsv]")
        changed = replace(options, overrides=(*files, *options.overrides))
        trained = translation.trained(NAME, changed, split)
        commands, actions = zip(*read(data / f"tasks_test_{split}.txt"), strict=True)
        found, took = sequences.score(trained, translation.TestSet(split, commands, [[a] for a in actions]), options)
        rows.append(sequences.row(split, "% exact", found["exact"]))
        facts = {**translation.of_the_run(trained), "decoding": took}
        settings |= {f"{split}: {name}": value for name, value in facts.items() if name != "changed"}
    return translation.result(NAME, settings, rows)


def split_of(run: Path) -> str:
    """The split that a run was trained on."""
    data = json.dumps(json.loads((run / "checkpoint.json").read_text(encoding="utf-8"))["config"]["data"])
    return next(split for split in SPLITS if f"{NAME}-{split}/" in data)


def prepare(source: Path, folder: Path) -> None:
    """Write the part that is trained on and the part that chooses the checkpoint into ``folder``."""
    pairs = read(source)
    random.Random(SEED).shuffle(pairs)
    count = round(VALIDATION * len(pairs))
    sequences.write(folder / "validation.tsv", pairs[:count])
    sequences.write(folder / "train.tsv", pairs[count:])


def read(path: Path) -> Pairs:
    """The commands and actions of ``IN: … OUT: …`` lines."""
    pairs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        command, actions = line.removeprefix("IN: ").split(" OUT: ")
        pairs.append((command, actions.strip()))
    return pairs
