"""The warpers on the cases of Hugging Face's own tests, by the slow reference and by the engine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import StepOutput
from seq2seq_kit.testing.reference.sampling import warp

FILE = Path(__file__).parents[3] / "shared" / "cases" / "hf_logits_processors.json"
if not FILE.is_file():
    pytest.skip(f"{FILE} is not there", allow_module_level=True)

FIELDS = {"top_k": ("top_k", "k"), "top_p": ("top_p", "p"), "min_p": ("min_p", "p"), "typical": ("typical_p", "mass")}
FIELDS |= {"top_h": ("top_h", "alpha"), "epsilon": ("epsilon", "eps"), "eta": ("eta", "eps")}
CASES = [case for case in json.loads(FILE.read_text())["cases"] if case["op"] in FIELDS]


def test_every_warper_has_a_case() -> None:
    assert {case["op"] for case in CASES} == set(FIELDS)


def kept_by_reference(scores: Tensor, options: SearchOptions) -> set[int]:
    return set((warp(scores, options) > -math.inf).nonzero().flatten().tolist())


def kept_by_engine(scores: Tensor, options: SearchOptions) -> set[int]:
    """Every token that can be drawn: as many different candidates as there are tokens are asked for."""

    def step(tokens: Tensor, *_: object) -> StepOutput:
        return StepOutput(scores.expand(*tokens.shape, -1), "logits")

    found = search(step, options=options, batch_size=1)[0]
    return {hypothesis.tokens[0] for hypothesis in found}


@pytest.mark.parametrize("by", ["reference", "engine"])
@pytest.mark.parametrize("case", CASES, ids=[case["op"] for case in CASES])
def test_case(case: dict[str, Any], by: str) -> None:
    field, given = FIELDS[case["op"]]
    rows = (
        [[math.log(p) if p else -math.inf for p in row] for row in case["probs"]] if "probs" in case else case["scores"]
    )
    for i, row in enumerate(rows):
        options = SearchOptions(
            **{field: case[given]},
            beam_size=len(row),
            n_best=len(row),
            sampling="beams",
            seed=0,
            max_length=1,
            eos_ids=(),
            numerics="reference",
        )
        kept = (kept_by_reference if by == "reference" else kept_by_engine)(torch.tensor(row).float(), options)
        if "expected" in case:
            assert kept == {token for token, p in enumerate(case["expected"][i]) if p}
        elif "kept" in case:
            assert kept == set(case["kept"][i])
        else:  # there with at least two tokens kept, which is no option here: what the rule itself keeps
            likeliest = sorted(range(len(row)), key=lambda token: -row[token])
            assert kept == set(likeliest[: len(kept)])
            assert len(kept) == case["kept_count"][i] or (len(kept) == 1 and case["kept_count"][i] == 2)
