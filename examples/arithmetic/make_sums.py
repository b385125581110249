"""Write the sums: pairs of numbers of up to three digits, and what they add up to, as strings.

    python examples/arithmetic/make_sums.py --out runs/sums

makes two data sets of the same pairs, each split into train, dev and test:

    same_length        012+345 TAB 0357     zero-padded: every source has 7 characters, every target 4
    different_length   12+345  TAB 357      as people write them

Each number is drawn below 10, 100 or 1000 with the same chance. A pair is drawn once, whatever its order: a held-out
sum is never in the training data the other way round.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

Pair = tuple[int, int]


def draw_pairs(count: int, seed: int) -> list[Pair]:
    """``count`` pairs of numbers below 1000, no two of them equal when the order is ignored."""
    rng = random.Random(seed)
    pairs: dict[Pair, Pair] = {}  # the ordered pair is the key; a dict keeps the order of drawing
    while len(pairs) < count:
        a, b = (rng.randrange(10 ** rng.randint(1, 3)) for _ in range(2))
        pairs.setdefault((min(a, b), max(a, b)), (a, b))
    drawn = list(pairs.values())
    rng.shuffle(drawn)  # small numbers run out early: without this, the last pairs drawn would all be large
    return drawn


def same_length(a: int, b: int) -> tuple[str, str]:
    return f"{a:03d}+{b:03d}", f"{a + b:04d}"


def different_length(a: int, b: int) -> tuple[str, str]:
    return f"{a}+{b}", f"{a + b}"


def write_sums(out: Path, count: int, seed: int = 1) -> None:
    """Both data sets below ``out``: 1/25 of ``count`` pairs for dev, as many for test, the others for training."""
    pairs = draw_pairs(count, seed)
    held_out = count // 25
    parts = {"test": pairs[:held_out], "dev": pairs[held_out : 2 * held_out], "train": pairs[2 * held_out :]}
    for write in (same_length, different_length):
        folder = out / write.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for part, members in parts.items():
            lines = ("\t".join(write(a, b)) + "\n" for a, b in members)
            (folder / f"{part}.tsv").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the sums of numbers of up to three digits.")
    parser.add_argument("--out", type=Path, default=Path("runs/sums"), help="the folder to write into")
    parser.add_argument("--count", type=int, default=50_000, help="pairs in all, held-out ones included")
    arguments = parser.parse_args()
    write_sums(arguments.out, arguments.count)
    print(f"{arguments.count:,} sums, written in two ways: see {arguments.out}")
