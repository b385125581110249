"""Metrics: sacreBLEU's own numbers, any number of references, percent."""

from __future__ import annotations

from typing import Any

import pytest
import sacrebleu

from seq2seq_kit.config import validate
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.registry import build, registry

OUTPUTS = ["the cat sat on the mat", "a dog is barking loudly", "He goes home now ."]
REFERENCES = [
    ["the cat is sitting on the mat", "the cat sat upon the mat"],
    ["the dog barks loudly at night", "a dog is barking very loudly"],
    ["He is going home now.", "he goes home"],
]


def make(name: str, **options: Any) -> Metric:
    config_class = registry().find("metric", name).component.load_config()
    metric: Metric = build("metric", validate(config_class, {"name": name, **options}, "test"))
    return metric


@pytest.mark.parametrize("name", ["bleu", "chrf", "exact"])
def test_perfect_outputs_score_100_and_wrong_ones_0(name: str) -> None:
    metric = make(name)
    assert metric.higher_is_better
    assert metric(OUTPUTS, [[output] for output in OUTPUTS]) == pytest.approx(100)
    assert metric(["xxx yyy zzz www"], [["abc def ghi jkl"]]) == pytest.approx(0, abs=1e-9)


def test_bleu_is_sacrebleus() -> None:
    streams = [[references[i] for references in REFERENCES] for i in (0, 1)]
    assert make("bleu")(OUTPUTS, REFERENCES) == sacrebleu.corpus_bleu(OUTPUTS, streams).score
    lowercase = sacrebleu.corpus_bleu(OUTPUTS, streams, lowercase=True, tokenize="intl").score
    assert make("bleu", lowercase=True, tokenize="intl")(OUTPUTS, REFERENCES) == lowercase


def test_chrf_is_sacrebleus() -> None:
    streams = [[references[i] for references in REFERENCES] for i in (0, 1)]
    assert make("chrf")(OUTPUTS, REFERENCES) == sacrebleu.corpus_chrf(OUTPUTS, streams).score
    assert (
        make("chrf", word_order=2)(OUTPUTS, REFERENCES) == sacrebleu.corpus_chrf(OUTPUTS, streams, word_order=2).score
    )


@pytest.mark.parametrize("name", ["bleu", "chrf", "exact"])
def test_the_number_of_references_may_differ(name: str) -> None:
    metric = make(name)
    few = [REFERENCES[0], REFERENCES[1][:1], [*REFERENCES[2], OUTPUTS[2]]]
    assert metric(OUTPUTS, few) > metric(OUTPUTS, [REFERENCES[0], REFERENCES[1][:1], REFERENCES[2]])


def test_another_reference_never_lowers_exact_match() -> None:
    assert make("exact")(["a", "b"], [["a"], ["c"]]) == 50
    assert make("exact")(["a", "b"], [["a"], ["c", "b"]]) == 100
    assert make("exact")(["caf\u00e9"], [["cafe\u0301"]]) == 100  # one accent, typed in two ways
    assert make("exact")(["a"], [["A"]]) == 0


def test_signatures_say_how_it_was_computed() -> None:
    for name, options, part in [
        ("bleu", {}, "nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:"),
        ("bleu", {"lowercase": True, "tokenize": "none"}, "case:lc|eff:no|tok:none"),
        ("chrf", {}, "nrefs:2|case:mixed|eff:yes|nc:6|nw:0"),
        ("chrf", {"word_order": 2}, "nw:2"),
        ("ter", {}, "nrefs:2|case:lc|tok:tercom|norm:no|punct:yes"),
    ]:
        metric = make(name, **options)
        assert metric.signature() == ""  # the number of references is not known yet
        metric(OUTPUTS, REFERENCES)
        assert part in metric.signature()
    assert make("exact").signature() == ""


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'lowercase'"):
        make("bleu", lower_case=True)
    with pytest.raises(ConfigError, match="tokenize"):
        make("bleu", tokenize="moses")
