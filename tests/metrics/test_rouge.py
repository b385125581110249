"""ROUGE: rouge-score's numbers, several references, words of any script."""

from __future__ import annotations

from typing import Any

import pytest
from rouge_score.rouge_scorer import RougeScorer

from seq2seq_kit.config import validate
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.registry import build, registry

OUTPUTS = ["The cats were sitting on mats", "Meeting at noon", ""]
REFERENCES = [["the cat sat on the mat", "cats sitting on a mat"], ["Lunch meeting at noon"], ["x"]]


def make(name: str, **options: Any) -> Metric:
    config_class = registry().find("metric", name).component.load_config()
    metric: Metric = build("metric", validate(config_class, {"name": name, **options}, "test"))
    return metric


@pytest.mark.parametrize(("name", "kind"), [("rouge1", "rouge1"), ("rouge2", "rouge2"), ("rouge_l", "rougeL")])
def test_it_is_the_mean_of_the_best_f1(name: str, kind: str) -> None:
    scorer = RougeScorer([kind], use_stemmer=True)
    best = [max(scorer.score(r, o)[kind].fmeasure for r in rs) for o, rs in zip(OUTPUTS, REFERENCES, strict=True)]
    assert make(name)(OUTPUTS, REFERENCES) == pytest.approx(100 * sum(best) / 3)
    assert make(name)(["a b c"], [["a b c"]]) == pytest.approx(100)


def test_stems_count_unless_told_otherwise() -> None:
    assert make("rouge1")(["cats"], [["cat"]]) == pytest.approx(100)
    assert make("rouge1", stemmer=False)(["cats"], [["cat"]]) == 0
    assert "stemmer:no" in make("rouge1", stemmer=False).signature()


def test_words_of_any_script() -> None:
    assert make("rouge1", tokenize="unicode", stemmer=False)(["Où est l'été"], [["où est l'été ?"]]) == pytest.approx(
        100
    )
    assert make("rouge1")(["привет мир"], [["привет мир"]]) == 0  # as in every published figure
