"""Unknown words are replaced by the source words that attention points at."""

from __future__ import annotations

import pytest
import torch

from seq2seq_kit.decoding.copying import hard_alignment, replace_unknown
from seq2seq_kit.errors import UserError

ATTENTION = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.4, 0.5, 0.1], [0.0, 0.0, 1.0]])


def test_the_word_of_greatest_attention_is_copied() -> None:
    assert hard_alignment(ATTENTION) == [0, 2, 1, 2]
    words = replace_unknown(["<unk>", "mange", "<unk>"], "<unk>", ["Ada", "eats", "cake"], ATTENTION)
    assert words == ["Ada", "mange", "eats"]
    words = replace_unknown(["<unk>", "mange", "<unk>"], "<unk>", ["Ada", "eats", "cake"], ATTENTION, {"eats": "dine"})
    assert words == ["Ada", "mange", "dine"]


def test_attention_beyond_the_source_words_copies_nothing() -> None:
    assert replace_unknown(["x", "<unk>"], "<unk>", ["Ada", "eats"], ATTENTION) == ["x", "<unk>"]


def test_too_little_attention_gets_a_sentence() -> None:
    with pytest.raises(UserError, match="5 tokens, but the attention of 4"):
        replace_unknown(["x"] * 5, "<unk>", [], ATTENTION)
