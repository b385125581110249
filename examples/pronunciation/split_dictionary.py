"""Split a pronouncing dictionary into words to learn from, to choose a checkpoint by, and to test on.

    python examples/pronunciation/split_dictionary.py cmudict.dict --out runs/cmudict

A tenth of the words are the test part and a hundredth the development part, drawn with a fixed seed. All pronunciations
of a word are in one part; lines are kept as they are.
"""

from __future__ import annotations

import argparse
import random
import re
from pathlib import Path


def split(dictionary: Path, out: Path) -> None:
    """Write ``train.dict``, ``dev.dict`` and ``test.dict`` into ``out``."""
    entries: dict[str, list[str]] = {}
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith(";;;"):
            word = re.sub(r"\(\d+\)$", "", line.split()[0])
            entries.setdefault(word, []).append(line + "\n")
    words = sorted(entries)
    random.Random(1).shuffle(words)
    first, second = len(words) // 10, len(words) // 10 + len(words) // 100
    parts = {"test": words[:first], "dev": words[first:second], "train": words[second:]}
    out.mkdir(parents=True, exist_ok=True)
    for name, chosen in parts.items():
        (out / f"{name}.dict").write_text("".join(line for word in chosen for line in entries[word]), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Split a pronouncing dictionary by words.")
    parser.add_argument("dictionary", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/cmudict"), help="the folder to write into")
    arguments = parser.parse_args()
    split(arguments.dictionary, arguments.out)
