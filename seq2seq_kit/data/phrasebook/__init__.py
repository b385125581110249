"""The phrasebook: everyday English sentences with their French translations, shipped with the package.

About 20,000 distinct pairs: more than 2,000 written by hand (``handwritten/``), the others composed by ``compose.py``
from hand-written patterns and a lexicon (``tables/``). All of it was written for this project and is licensed, like the
project, under Apache-2.0; nothing is taken from another corpus. About 1.5 MB as text.

The files are UTF-8, one pair a line, ``English<TAB>French``. No sentence of either language stands in two parts:

========================  ==========================================================
``train``                 composed and hand-written pairs, shuffled
``dev``, ``test``         about 500 composed pairs each
``dev_handwritten``,      about 100 hand-written pairs each
``test_handwritten``
========================  ==========================================================

``python -m seq2seq_kit.data.phrasebook.build`` writes them; with ``--check`` it compares them with a fresh build.
"""

from __future__ import annotations

from pathlib import Path

SPLITS = ("train", "dev", "test", "dev_handwritten", "test_handwritten")


def path(split: str) -> Path:
    """The TSV file of ``split``, one of ``SPLITS``. Raises ValueError for another name."""
    if split not in SPLITS:
        raise ValueError(f"no phrasebook split {split!r}; there are: {', '.join(SPLITS)}")
    return Path(__file__).parent / f"{split}.tsv"
