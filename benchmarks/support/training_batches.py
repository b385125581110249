"""Batches of Multi30k for the comparison of training loops: the same ids in the same order for every system."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from benchmarks.support.translation import DATA

if TYPE_CHECKING:
    from seq2seq_kit.interfaces import Batch

PAD, BOS, EOS = 0, 1, 2  # the ids that our tokenizers fix
VOCABULARY = 8000


def encoded() -> list[tuple[list[int], list[int]]]:
    """The training pairs, English to German, as ids of one BPE vocabulary, EOS last on both sides."""
    from seq2seq_kit.tokenizers.bpe import BPETokenizer, BPETokenizerConfig

    folder = DATA / "multi30k"
    sides = [(folder / f"train.{language}").read_text(encoding="utf-8").splitlines() for language in ("en", "de")]
    tokenizer = BPETokenizer(BPETokenizerConfig(vocab_size=VOCABULARY, lowercase=True))
    tokenizer.train([*sides[0], *sides[1]])
    source, target = ([[*ids, EOS] for ids in tokenizer.encode(side)] for side in sides)
    return list(zip(source, target, strict=True))


def epoch(pairs: list[tuple[list[int], list[int]]], tokens: int, number: int) -> list[Batch]:
    """Batches of pairs of like length with at most ``tokens`` target tokens each, in the order of epoch ``number``."""
    rng = random.Random(number)
    order = sorted(pairs, key=lambda pair: (len(pair[0]), len(pair[1]), rng.random()))
    groups: list[list[tuple[list[int], list[int]]]] = [[]]
    count = 0
    for pair in order:
        if count + len(pair[1]) > tokens:
            groups.append([])
            count = 0
        groups[-1].append(pair)
        count += len(pair[1])
    rng.shuffle(groups)
    return [_batch(group) for group in groups]


def _batch(pairs: list[tuple[list[int], list[int]]]) -> Batch:
    from torch import tensor
    from torch.nn.utils.rnn import pad_sequence

    from seq2seq_kit.interfaces import Batch

    source, target = (
        pad_sequence([tensor(pair[side]) for pair in pairs], batch_first=True, padding_value=PAD) for side in (0, 1)
    )
    return Batch(source, source != PAD, target, target != PAD)
