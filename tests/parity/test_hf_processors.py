"""What blocks and biases tokens, on the cases of Hugging Face's own tests, by the slow reference and by the engine.

Its tests of warpers are in ``test_hf_warpers.py``. Where a case has no scores, all tokens are equally likely.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from support.scripted_step import find, row
from torch import Tensor

from seq2seq_kit.decoding.inputs import Automaton, SentenceInput
from seq2seq_kit.decoding.options import SearchOptions

FILE = Path(__file__).parents[3] / "shared" / "cases" / "hf_logits_processors.json"
if not FILE.is_file():
    pytest.skip(f"{FILE} is not there", allow_module_level=True)
CASES = json.loads(FILE.read_text())["cases"]

Case = dict[str, Any]


def cases(op: str, count: int) -> pytest.MarkDecorator:
    found = [case for case in CASES if case["op"] == op]
    assert len(found) == count
    return pytest.mark.parametrize("case", found)


pytestmark = pytest.mark.parametrize("by", ["reference", "engine"])


def next_scores(
    by: str, prefix: Sequence[int], scores: Tensor, sentence: SentenceInput, **options: Any
) -> dict[int, float]:
    """The tokens that may follow ``prefix``, and their scores: a beam with room for all of them finds them.

    ``prefix`` is all of Hugging Face's ``input_ids``. What the sentence does not force of it, the script does.
    """

    def script(generated: list[int]) -> Tensor:
        if len(generated) < len(prefix):
            return row(len(scores), {prefix[len(generated)]: 0.0})
        return scores if len(generated) == len(prefix) else torch.zeros_like(scores)

    given: dict[str, Any] = {
        "bos_id": len(scores),
        "eos_ids": (),
        "max_length": len(prefix) + 1,
        "numerics": "reference",
    } | options
    found = find(by, script, SearchOptions(len(scores), len(scores), **given), sentence)
    return {each.tokens[len(prefix)]: each.token_log_probs[len(prefix)] for each in found}


def blocked(by: str, prefix: list[int], vocab: int, sentence: SentenceInput, **options: Any) -> list[int]:
    found = next_scores(by, prefix, torch.zeros(vocab), sentence, **options)
    assert set(found.values()) <= {0.0}
    return sorted(set(range(vocab)) - found.keys())


@cases("repetition_penalty", 1)
def test_repetition_penalty(case: Case, by: str) -> None:
    """Greedy search normalises what the penalty leaves, so one token's log-probability tells of the whole row."""
    for (bos, *prefix), scores, expected in zip(case["prefix"], case["scores"], case["expected"], strict=True):
        options = SearchOptions(
            beam_size=1,
            semantics="hf",
            bos_id=bos,
            eos_ids=(),
            max_length=len(prefix) + 1,
            repetition_penalty=case["penalty"],
            numerics="reference",
        )
        [found] = find(by, lambda _, scores=scores: torch.tensor(scores), options, SentenceInput(prefix=tuple(prefix)))
        log_probs = torch.tensor(expected).log_softmax(-1)
        assert found.tokens[-1] == log_probs.argmax()
        assert found.token_log_probs[-1] == pytest.approx(log_probs.max().item(), abs=1e-6)


@cases("no_repeat_ngram", 4)
def test_no_repeat_ngram(case: Case, by: str) -> None:
    for prefix, expected in zip(case["prefix"], case["blocked"], strict=True):
        sentence = SentenceInput(prefix=tuple(prefix))
        assert blocked(by, prefix, case["vocab"], sentence, no_repeat_ngram=case["n"]) == expected


@cases("encoder_no_repeat_ngram", 2)
def test_no_repeat_ngram_of_the_source(case: Case, by: str) -> None:
    for i, (prefix, expected) in enumerate(zip(case["prefix"], case["blocked"], strict=True)):
        sentence = SentenceInput(prefix=tuple(prefix), source=tuple(case["encoder"][i // case["num_beams"]]))
        assert blocked(by, prefix, case["vocab"], sentence, no_repeat_ngram_source=case["n"]) == expected


@cases("bad_words", 1)
@pytest.mark.parametrize("whose", ["options", "sentence"])
def test_bad_words(case: Case, by: str, whose: str) -> None:
    bad = tuple(map(tuple, case["bad"]))
    for prefix, expected in zip(case["prefix"], case["blocked"], strict=True):
        sentence = SentenceInput(prefix=tuple(prefix), banned=bad if whose == "sentence" else ())
        words = bad if whose == "options" else ()
        assert blocked(by, prefix, case["vocab"], sentence, bad_words=words, eos_ids=(case["eos"],)) == expected


@cases("sequence_bias", 1)
def test_sequence_bias(case: Case, by: str) -> None:
    biases = tuple((tuple(sequence), float(bias)) for sequence, bias in case["bias"])
    for prefix, expected in zip(case["prefix"], case["expected"], strict=True):
        sentence = SentenceInput(prefix=tuple(prefix))
        found = next_scores(by, prefix, torch.zeros(case["vocab"]), sentence, sequence_bias=biases)
        assert found == dict(enumerate(expected))


@cases("prefix_constrained", 1)
def test_allowed_tokens(case: Case, by: str) -> None:
    for allowed, expected in zip(case["allowed_by_sentence"], case["blocked"], strict=True):
        sentence = SentenceInput(automaton=Automaton([dict.fromkeys(allowed, 0)]))
        assert blocked(by, [], case["vocab"], sentence) == expected


@cases("min_length", 2)
def test_min_length(case: Case, by: str) -> None:
    sentence = SentenceInput(prefix=(1,) * case["prefix_len"])
    eos = {"eos_ids": (case["eos"],), "min_length": case["min_length"], "max_length": 20}
    found = next_scores(by, sentence.prefix, torch.zeros(3), sentence, **eos)
    assert (case["eos"] in found) == (case["blocked"] == [])


@cases("min_new_tokens", 1)
def test_min_new_tokens(case: Case, by: str) -> None:
    sentence = SentenceInput(prefix=(1,) * case["prompt_len"])
    for length, is_blocked in case["prefix_len_to_blocked"].items():
        eos = {"eos_ids": (case["eos"],), "min_new_tokens": case["min_new"], "max_length": 20}
        found = next_scores(by, (1,) * int(length), torch.zeros(3), sentence, **eos)
        assert (case["eos"] in found) == (not is_blocked)


@cases("forced_eos", 2)
def test_forced_last(case: Case, by: str) -> None:
    """Hugging Face's lengths count BOS, ours do not."""
    prefix = [1] * (case["prefix_len"] - 1)
    forced = {"semantics": "hf", "eos_ids": (case["eos"],), "forced_last": case["eos"]}
    scores = torch.zeros(3).log_softmax(-1)
    sentence = SentenceInput(prefix=tuple(prefix))
    found = next_scores(by, prefix, scores, sentence, max_length=case["max_length"] - 1, **forced)
    assert found == ({0: case["its_score"]} if case["only_allowed"] else dict(enumerate(scores.tolist())))
