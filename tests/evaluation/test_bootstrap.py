"""Bootstrap intervals: sacreBLEU's own for its metrics, and honest for all others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU as SacreBLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER as SacreTER
from sacrebleu.significance import PairedTest

from seq2seq_kit.evaluation import bootstrap
from seq2seq_kit.evaluation.bootstrap import interval, p_value, resample
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.metrics.exact import ExactMatch, ExactMatchConfig
from seq2seq_kit.registry import registry

REFERENCES = [[f"this is sentence number {i} of the test set", f"sentence number {i}"][: 1 + i % 2] for i in range(40)]
GOOD = [references[0] if i % 9 else "something else" for i, references in enumerate(REFERENCES)]
BAD = [text.replace("test", "best") if i % 3 else text for i, text in enumerate(GOOD)]
METRICS = [p.component.name for p in registry().provided("metric") if p.provider.distribution == "seq2seq-kit"]


def built(name: str) -> Any:
    provided = registry().find("metric", name)
    return provided.load()(provided.load_config()())


class Slow(Metric):
    """The share of exact outputs, without statistics."""

    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        return 100 * sum(output in own for output, own in zip(outputs, references, strict=True)) / len(outputs)


@pytest.mark.parametrize(("name", "theirs"), [("bleu", SacreBLEU), ("chrf", CHRF), ("ter", SacreTER)])
def test_intervals_and_p_are_sacrebleus(name: str, theirs: Any) -> None:
    streams = [list(stream) for stream in zip_longest(*REFERENCES)]
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    metrics = {name: theirs(references=streams)}
    _, found = PairedTest([("bad", BAD), ("good", GOOD)], metrics, None, test_type="bs", n_samples=200)()
    [(_, (first, second))] = [(key, results) for key, results in found.items() if key != "System"]
    samples = {text: resample(built(name), outputs, REFERENCES, 200) for text, outputs in (("b", BAD), ("g", GOOD))}
    for ours, result in ((samples["b"], first), (samples["g"], second)):
        assert ours is not None
        bounds = interval(ours)
        assert bounds is not None and bounds.samples == 200
        assert ours.mean() == pytest.approx(result.mean, abs=1e-3)
        assert (bounds.high - bounds.low) / 2 == pytest.approx(result.ci, abs=1e-3)
    assert p_value(second.score - first.score, samples["b"], samples["g"]) == pytest.approx(second.p_value)


@pytest.mark.parametrize("name", METRICS)
def test_what_adds_up_gives_the_score(name: str) -> None:
    metric = built(name)
    statistics = metric.statistics(BAD, REFERENCES)
    if statistics is None:
        assert not metric.bootstrap
        return
    assert len(statistics) == len(BAD)
    assert metric.combine(statistics.sum(0)) == pytest.approx(metric(BAD, REFERENCES))


@pytest.mark.parametrize("name", METRICS)
def test_single_outputs_are_scored_in_their_order(name: str) -> None:
    scores = built(name).sentence_scores(["a b c d", "a b x d"], [["a b c d"], ["a b c d"]])
    if name in ("length", "distinct1", "distinct2"):
        return
    assert len(scores) == 2 and (scores[0] > scores[1]) == built(name).higher_is_better


def test_a_metric_without_statistics_has_the_same_interval() -> None:
    slow, quick = resample(Slow(), BAD, REFERENCES, 100), resample(ExactMatch(ExactMatchConfig()), BAD, REFERENCES, 100)
    assert slow == pytest.approx(quick)
    assert Slow().sentence_scores(GOOD[:2], REFERENCES[:2]) == [0.0, 100.0]


def test_one_that_would_take_too_long_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PATIENCE", 0.0)
    assert resample(Slow(), BAD, REFERENCES) is None


def test_what_repeats_would_change_is_not_resampled() -> None:
    assert resample(built("distinct1"), BAD, REFERENCES) is None
    assert resample(Slow(), [], []) is None


def test_the_interval_holds_the_middle_95_percent() -> None:
    bounds = interval(np.arange(1000.0)[::-1])
    assert bounds is not None and (bounds.low, bounds.high) == (25.0, 974.0)
    assert interval(np.array([1.0, float("nan")])) is None


def test_the_same_twice_does_not_differ() -> None:
    scores = np.arange(10.0)
    assert p_value(0.0, scores, scores) == 1.0
