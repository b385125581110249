"""A trained model of CTranslate2's: its forced scores and every n-best list that CTranslate2 4.8.5 gave for it."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.ct2_model import BOS, EOS, TransformerDecoder, TransformerEncoder, read_model, read_vocabulary
from torch import Tensor

from seq2seq_kit.decoding.options import Numerics, SearchOptions
from seq2seq_kit.decoding.search import search
from seq2seq_kit.interfaces import Batch, Memory
from seq2seq_kit.testing.reference import ct2

SHARED = Path(__file__).parents[3] / "shared"
MODEL = SHARED / "models" / "ct2-aren-transliteration"
CASES = SHARED / "cases"
NAMES = {
    "beam_size": "beam_size",
    "num_hypotheses": "n_best",
    "length_penalty": "length_penalty",
    "max_decoding_length": "max_length",
    "min_decoding_length": "min_length",
    "no_repeat_ngram_size": "no_repeat_ngram",
    "repetition_penalty": "repetition_penalty",
}

pytestmark = pytest.mark.skipif(not MODEL.is_dir(), reason=f"{MODEL} is not there")


def read_cases(name: str) -> list[dict[str, Any]]:
    """The lines of a file of cases; none where it is missing."""
    path = CASES / name
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


@functools.cache
def model() -> tuple[TransformerEncoder, TransformerDecoder, list[str], list[str]]:
    encoder, decoder = read_model(MODEL)
    return encoder, decoder, *(read_vocabulary(MODEL / f"{side}_vocabulary.txt") for side in ("source", "target"))


def encode(sources: list[list[str]]) -> Memory:
    encoder, _, vocabulary, _ = model()
    lengths = torch.tensor([len(source) for source in sources])
    ids = torch.zeros(len(sources), int(lengths.max()), dtype=torch.int64)
    for row, source in zip(ids, sources, strict=True):
        row[: len(source)] = torch.tensor([vocabulary.index(token) for token in source])
    with torch.inference_mode():
        return encoder(Batch(ids, torch.arange(ids.shape[1]) < lengths.unsqueeze(1)))


def options_of(case: dict[str, Any]) -> SearchOptions:
    """CTranslate2's options by our names; it has EOS wait for one token where nothing is said."""
    values = {"min_length": 1} | {NAMES[name]: value for name, value in case["options"].items()}
    return SearchOptions(semantics="ct2", bos_id=BOS, eos_ids=(EOS,), **values)


def of_prefix(source: list[str]) -> Callable[[list[int]], Tensor]:
    """The scores [V] after a prefix, for the slow reference."""
    memory, decoder = encode([source]), model()[1]

    @functools.cache
    def scores(prefix: tuple[int, ...]) -> Tensor:
        return decoder.output(decoder(torch.tensor([[BOS, *prefix]]), memory).hidden, memory)[0, -1]

    return lambda prefix: scores(tuple(prefix))


def assert_same(found: list[Any], case: dict[str, Any]) -> None:
    written = [[model()[3][token] for token in hypothesis.tokens if token != EOS] for hypothesis in found]
    assert written == case["hypotheses"]
    assert [hypothesis.score for hypothesis in found] == pytest.approx(case["scores"], abs=1e-5)


def test_all_cases_are_there() -> None:
    assert len(read_cases("ct2_aren_decode.jsonl")) == 176
    assert len(read_cases("ct2_aren_score.jsonl")) == 22


def test_forced_scores() -> None:
    cases = read_cases("ct2_aren_score.jsonl")
    _, decoder, _, vocabulary = model()
    for case in cases:
        memory = encode([case["source"]])
        labels = torch.tensor([[vocabulary.index(token) for token in case["tokens"]]])
        prefix = torch.cat([torch.tensor([[BOS]]), labels[:, :-1]], 1)
        with torch.inference_mode():
            log_probs = decoder.output(decoder(prefix, memory).hidden, memory).log_softmax(-1)
        scores = log_probs.gather(-1, labels.unsqueeze(-1)).flatten().tolist()
        assert scores == pytest.approx(case["log_probs"], abs=5e-6)


def test_steps_are_the_forward_pass() -> None:
    """With padding, and each step on the history of those before."""
    _, decoder, _, vocabulary = model()
    cases = [case for case in read_cases("ct2_aren_score.jsonl") if len(case["tokens"]) >= 5][:4]
    memory = encode([case["source"] for case in cases])
    prefix = torch.tensor([[BOS, *(vocabulary.index(token) for token in case["tokens"][:4])] for case in cases])
    with torch.inference_mode():
        whole = decoder(prefix, memory)
        state = decoder.init_state(memory, len(prefix))
        for position, tokens in enumerate(prefix.unbind(1)):
            output = decoder.step(tokens.unsqueeze(1), torch.full((len(prefix),), position), state)
            state = state.advance(output)
            scores = decoder.output(whole.hidden[:, position], memory)
            assert torch.allclose(output.scores[:, 0], scores, atol=1e-5)
            assert output.attention is not None and whole.attention is not None
            assert torch.allclose(output.attention[:, 0], whole.attention[:, position], atol=1e-5)


@pytest.mark.parametrize("numerics", ["reference", "fast"])
def test_the_engine_gives_every_list(numerics: Numerics) -> None:
    """All sentences of the same options in one batch."""
    decoder = model()[1]
    batches = itertools.groupby(read_cases("ct2_aren_decode.jsonl"), key=lambda case: case["options"])
    for _, batch in batches:
        cases = list(batch)
        memory = encode([case["source"] for case in cases])
        options = replace(options_of(cases[0]), numerics=numerics)
        found = search(decoder.step, decoder.init_state(memory, len(cases)), options)
        for hypotheses, case in zip(found, cases, strict=True):
            assert_same(hypotheses, case)


def test_the_reference_gives_every_list() -> None:
    cases = read_cases("ct2_aren_decode.jsonl")
    with torch.inference_mode():
        scores = {tuple(case["source"]): of_prefix(case["source"]) for case in cases}
        for case in cases:
            assert_same(ct2.search(scores[tuple(case["source"])], options_of(case)), case)
