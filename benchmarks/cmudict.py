"""How many English words get a wrong pronunciation, on 5% of CMUdict's words that were held out?

The training part of the CMU Pronouncing Dictionary as published for grapheme-to-phoneme conversion (g014b2b, no stress
marks); see ``configs/cmudict.yaml``. Its test part is not at hand: 5% of the words, drawn with a fixed seed, are held
out in its place, and 1% more choose the checkpoint; no word is in two parts. An output is right when it is one of the
pronunciations that the dictionary lists for the word, and each word counts once (WER); phonemes are compared with the
nearest of them (PER). The corpus is not part of the repository: it is read from ``../shared/data/cmudict_g2p``.
"""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.support import results, sequences, translation
from benchmarks.support.harness import Options

NAME = "cmudict"
HELD_OUT, VALIDATION = 0.05, 0.01
SEED = 1

Dictionary = dict[str, list[str]]
"""The pronunciations of each word."""


def run(options: Options) -> results.Result:
    """Train and score."""
    held_out = prepare(translation.DATA / "cmudict_g2p" / "g014b2b.train", sequences.CONVERTED / NAME)
    folder = translation.trained(NAME, options)
    case = f"{HELD_OUT:.0%} of the words, held out"
    test = translation.TestSet(case, list(held_out), list(held_out.values()))
    found, took = sequences.score(folder, test, options)
    rows = [sequences.row(case, "WER", 100 - found["exact"]), sequences.row(case, "PER", found["edits"])]
    settings = {**translation.of_the_run(folder), "decoding": took, "split": f"{len(held_out):,} words, seed {SEED}"}
    return translation.result(NAME, settings, rows)


def prepare(source: Path, folder: Path) -> Dictionary:
    """Write the training and the validation part into ``folder``; the held-out part is returned."""
    train, validation, held_out = split(read(source))
    for name, part in {"train": train, "validation": validation}.items():
        pairs = [(word, said) for word, pronunciations in part.items() for said in pronunciations]
        sequences.write(folder / f"{name}.tsv", pairs)
    return held_out


def read(path: Path) -> Dictionary:
    """The pronunciations of each word in a file of WORD TAB PHONEMES lines."""
    found: Dictionary = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, said = line.split("\t")
        found.setdefault(word, []).append(said)
    return found


def split(words: Dictionary) -> tuple[Dictionary, Dictionary, Dictionary]:
    """The parts for training, for validation and held out: each has all the pronunciations of its words."""
    order = sorted(words)
    random.Random(SEED).shuffle(order)
    first = round(HELD_OUT * len(order))
    second = first + round(VALIDATION * len(order))
    held_out, validation, train = order[:first], order[first:second], order[second:]
    return tuple({word: words[word] for word in part} for part in (train, validation, held_out))  # type: ignore[return-value]
