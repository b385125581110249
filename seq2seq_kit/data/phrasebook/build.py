"""Build the phrasebook: compose pairs, add the hand-written ones, split them and write the TSV files.

    python -m seq2seq_kit.data.phrasebook.build            # write train.tsv, dev.tsv, ...
    python -m seq2seq_kit.data.phrasebook.build --check    # rebuild in memory and compare with the files

The build is deterministic: same tables and seed, same bytes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

from . import SPLITS, path
from .compose import compose
from .patterns import load_patterns

Pair = tuple[str, str]

SEED = 1
COMPOSED = 18_000
DRAWS_PER_PAIR = 12  # how long to look for new pairs of a pattern before taking it for exhausted
HELD_OUT, HELD_OUT_HANDWRITTEN = 500, 100
HANDWRITTEN = Path(__file__).parent / "handwritten"

LETTERS = "A-Za-zÀÂÄÇÉÈÊËÎÏÔÖÙÛÜŒàâäçéèêëîïôöùûüœ"
ENGLISH_SENTENCE = re.compile(rf"[{LETTERS}][{LETTERS}' ,.?!-]*[.?!]")
FRENCH_SENTENCE = re.compile(rf"[{LETTERS}][{LETTERS}' ,.?!-]*(\.| \?| !)")


def typography_fault(pair: Pair) -> str:
    """What is wrong with the characters of ``pair``, or "": see the rules in the tests."""
    english, french = pair
    if not ENGLISH_SENTENCE.fullmatch(english) or not english[0].isupper() or re.search(r" [,.?!]|  ", english):
        return f"English typography: {english!r}"
    if not FRENCH_SENTENCE.fullmatch(french) or not french[0].isupper() or re.search(r"[^ ?!][?!]| [,.]|  ", french):
        return f"French typography: {french!r}"
    return ""


def read_handwritten() -> list[Pair]:
    """All hand-written pairs, in the order of the files. Raises ValueError that names every faulty line."""
    pairs: list[Pair] = []
    faults: list[str] = []
    for file in sorted(HANDWRITTEN.glob("*.tsv")):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            english, tab, french = line.partition("\t")
            fault = typography_fault((english, french)) if tab else "no tab"
            if fault:
                faults.append(f"{file.name}:{number}: {fault}")
            pairs.append((english, french))
    if faults:
        raise ValueError("hand-written pairs:\n" + "\n".join(faults))
    return pairs


def key(sentence: str) -> str:
    """What makes two sentences the same: letters only, so that "Really?" and "Really!" are one."""
    return re.sub(r"[^\w']+", " ", sentence.casefold()).strip()


class Distinct:
    """Pairs of which no two share an English or a French sentence."""

    def __init__(self) -> None:
        self.pairs: list[Pair] = []
        self._english: set[str] = set()
        self._french: set[str] = set()

    def add(self, pair: Pair) -> bool:
        """Add ``pair`` unless one of its sentences is there already; whether it was added."""
        english, french = key(pair[0]), key(pair[1])
        if english in self._english or french in self._french:
            return False
        self._english.add(english)
        self._french.add(french)
        self.pairs.append(pair)
        return True


def compose_pairs(distinct: Distinct, target: int) -> list[Pair]:
    """About ``target`` new composed pairs, evenly: a pattern that runs dry leaves its share to the others."""
    patterns = load_patterns()
    randoms = {pattern.line: Random(f"{SEED}:{pattern.english}") for pattern in patterns}
    composed: list[Pair] = []
    while patterns and len(composed) < target:
        share = max(1, (target - len(composed)) // len(patterns))
        alive = []
        for pattern in patterns:
            found = draws = 0
            while found < share and draws < share * DRAWS_PER_PAIR:
                pair = compose(pattern, randoms[pattern.line])
                draws += 1
                if distinct.add(pair):
                    composed.append(pair)
                    found += 1
            if found == share:
                alive.append(pattern)
        patterns = alive
    return composed[:target]


def build() -> dict[str, list[Pair]]:
    """The pairs of every split."""
    distinct = Distinct()
    handwritten = [pair for pair in read_handwritten() if distinct.add(pair)]
    composed = compose_pairs(distinct, COMPOSED)
    random = Random(SEED)
    random.shuffle(handwritten)
    random.shuffle(composed)
    held, by_hand = HELD_OUT, min(HELD_OUT_HANDWRITTEN, len(handwritten) // 4)
    train = composed[2 * held :] + handwritten[2 * by_hand :]
    random.shuffle(train)
    return {
        "train": train,
        "dev": composed[:held],
        "test": composed[held : 2 * held],
        "dev_handwritten": handwritten[:by_hand],
        "test_handwritten": handwritten[by_hand : 2 * by_hand],
    }


def as_text(pairs: Iterable[Pair]) -> str:
    return "".join(f"{english}\t{french}\n" for english, french in pairs)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m seq2seq_kit.data.phrasebook.build", description="Build the phrasebook."
    )
    parser.add_argument(
        "--check", action="store_true", help="compare the shipped files with a fresh build; write nothing"
    )
    check = parser.parse_args(arguments).check
    parts = build()
    stale = []
    for split in SPLITS:
        text = as_text(parts[split])
        if not check:
            path(split).write_text(text, encoding="utf-8", newline="\n")
        elif not path(split).exists() or path(split).read_bytes() != text.encode():
            stale.append(path(split).name)
        print(f"{split:17} {len(parts[split]):6} pairs")
    if stale:
        print(f"not what the tables give: {', '.join(stale)}; build again without --check", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
