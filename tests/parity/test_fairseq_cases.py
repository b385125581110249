"""``semantics="fairseq"`` on fairseq's own tables: its n-best lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from support.scripted_step import Script, ScriptedStep, find

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import DecoderState, StepOutput

FILE = Path(__file__).parents[3] / "shared" / "cases" / "fairseq_beam.json"
if not FILE.is_file():
    pytest.skip(f"{FILE} is not there", allow_module_level=True)
CASES = json.loads(FILE.read_text())
WORDS = {word: i for i, word in enumerate(CASES["vocab"])}


def options_of(case: dict[str, Any]) -> SearchOptions:
    given = case["options"]
    return SearchOptions(
        semantics="fairseq",
        beam_size=CASES["beam_size"],
        n_best=CASES["beam_size"],
        length_penalty=given.get("lenpen", 1.0) if given["normalize"] else 0.0,
        min_length=1,
        max_length=given.get("max_tokens_before_forced_eos", 200),
        bos_id=WORDS["eos"],
        eos_ids=(WORDS["eos"],),
        unk_id=WORDS["unk"],
        numerics="reference",
    )


def script_of(table: dict[str, list[float]]) -> Script:
    words = list(WORDS)
    return lambda prefix: torch.tensor(table[" ".join(words[token] for token in prefix)]).log()


def check(found: list[Hypothesis], expected: list[dict[str, Any]], options: SearchOptions) -> None:
    assert [each.tokens for each in found] == [[WORDS[word] for word in each["tokens"]] for each in expected]
    for hypothesis, wanted in zip(found, expected, strict=True):
        log_probs = torch.tensor(wanted["pos_probs"]).log()
        torch.testing.assert_close(torch.tensor(hypothesis.token_log_probs), log_probs)
        score = log_probs.sum().item() / len(wanted["tokens"]) ** options.length_penalty
        assert hypothesis.score == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("by", ["reference", "engine"])
@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_by_prefix(case: dict[str, Any], by: str) -> None:
    options = options_of(case)
    for table, expected in zip(CASES["prefix_tables"], case["expected"], strict=True):
        check(find(by, script_of(table), options), expected, options)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_both_sentences_in_one_batch(case: dict[str, Any]) -> None:
    options = options_of(case)
    step = ScriptedStep(*map(script_of, CASES["prefix_tables"]))
    for found, expected in zip(search(step, step.state(), options), case["expected"], strict=True):
        check(found, expected, options)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_by_slot(case: dict[str, Any]) -> None:
    """The table is looked up by step and slot, so the live hypotheses must lie in the slots that fairseq gives them."""
    options, width = options_of(case), CASES["beam_size"]
    tables = torch.tensor(CASES["slot_tables"]).log()  # [steps, B * K, V]

    def step(tokens: torch.Tensor, position: torch.Tensor, state: DecoderState) -> StepOutput:
        slots = torch.arange(tokens.shape[1])
        rows = state.sentences["index"].unsqueeze(1) * width + slots  # [B', K']
        return StepOutput(tables[int(position[0])][rows], "log_probs")

    state = DecoderState(sentences={"index": torch.arange(len(case["expected"]))})
    for found, expected in zip(search(step, state, options), case["expected"], strict=True):
        check(found, expected, options)
