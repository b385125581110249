"""Paired bootstrap: better is better, equal is equal, and nobody is told otherwise."""

from __future__ import annotations

import pytest
import sacrebleu

from seq2seq_kit.evaluation.comparison import compare

REFERENCES = [[f"this is sentence number {i} of the test set", f"sentence number {i}"][: 1 + i % 2] for i in range(40)]
GOOD = [references[0] for references in REFERENCES]
BAD = [text.replace("test", "best") if i % 3 else text for i, text in enumerate(GOOD)]


def test_scores_are_sacrebleus_and_a_difference_is_seen() -> None:
    found, signatures = compare({"a": BAD, "b": GOOD}, REFERENCES, samples=200)
    assert list(found) == ["BLEU", "chrF2", "TER"] == list(signatures)
    streams = [[r[i] if i < len(r) else None for r in REFERENCES] for i in (0, 1)]
    assert found["BLEU"]["a"].score == pytest.approx(sacrebleu.corpus_bleu(BAD, streams).score)
    assert found["TER"]["b"].score == pytest.approx(0)
    assert found["BLEU"]["a"].p_value is None
    assert all(scores["b"].p_value < 0.05 for scores in found.values())
    assert found["BLEU"]["a"].half_width > 0
    assert "bs:200" in signatures["BLEU"]


def test_runs_that_write_the_same_do_not_differ() -> None:
    found, _ = compare({"a": BAD, "b": BAD}, REFERENCES, samples=50)
    assert all(scores["b"].p_value == 1 for scores in found.values())
