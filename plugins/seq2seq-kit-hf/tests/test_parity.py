"""Imported models compute what transformers computes: states, logits, searches and texts, for every family."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import s2s
from torch import Tensor

from seq2seq_kit import Batch, DataError, Example, Pipeline, load, search

checkpoints = pytest.importorskip("checkpoints")
TOLERANCE = {"atol": 1e-4, "rtol": 0}
TEXTS = [*checkpoints.SENTENCES, "", "  two  spaces ", "naïve – \u201cquotes\u201d…", "日本 \u00a0 x\ty"]


@dataclass
class Both:
    """The same model on both sides, and sources to read."""

    theirs: Any
    tokenizer: Any
    ours: Pipeline
    batch: Batch
    labels: Tensor  # [B, T]

    @property
    def source(self) -> dict[str, Tensor]:
        return {"input_ids": self.batch.source, "attention_mask": self.batch.source_mask.long()}


@pytest.fixture(scope="module", params=list(checkpoints.FAMILIES))
def both(request: pytest.FixtureRequest, checkpoint: Callable[[str], Path], run: Callable[[str], Path]) -> Both:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    folder = checkpoint(request.param)
    theirs = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ours = load(run(request.param))
    sentences = checkpoints.SENTENCES
    examples = [Example(source, target) for source, target in zip(sentences[:4], sentences[4:], strict=True)]
    batch = ours.task.collate(ours.task.encode([*examples, Example("", "")]))
    assert batch.target is not None and not batch.source_mask.all()
    return Both(theirs, tokenizer, ours, batch, batch.target)


@torch.no_grad()
def test_states_are_equal(both: Both) -> None:
    states = both.theirs.get_encoder()(**both.source).last_hidden_state  # [B, S, H]
    memory = both.ours.model.encode(both.batch)
    assert memory is not None
    real = both.batch.source_mask
    torch.testing.assert_close(memory.states[real], states[real], **TOLERANCE)
    assert states[real].std() > 0.1


@torch.no_grad()
def test_logits_are_equal_position_by_position(both: Both) -> None:
    start = torch.full_like(both.labels[:, :1], both.ours.task.target_spec.bos_id)
    prefix = torch.cat([start, both.labels[:, :-1]], 1)
    logits = both.theirs(**both.source, decoder_input_ids=prefix).logits  # [B, T, V]
    decoder, memory = both.ours.model.decoder, both.ours.model.encode(both.batch)
    forward = decoder.output(decoder(prefix, memory).hidden, memory)
    real = both.batch.target_mask
    torch.testing.assert_close(forward[real], logits[real], **TOLERANCE)
    assert logits[real].std() > 0.1
    state = decoder.init_state(memory, len(prefix))
    for t in range(prefix.shape[1]):
        step = decoder.step(prefix[:, t : t + 1], torch.full((len(prefix),), t), state)
        state = state.advance(step)
        torch.testing.assert_close(step.scores[real[:, t], 0], logits[real[:, t], t], **TOLERANCE)


@torch.inference_mode()
@pytest.mark.parametrize("beams", [1, 2, 5, None])
def test_searches_find_the_same_tokens(both: Both, beams: int | None) -> None:
    """With the checkpoint's own settings, and with other numbers of beams."""
    spec, options = both.ours.task.target_spec, both.ours.options()
    options = replace(options, bos_id=spec.bos_id, eos_ids=(spec.eos_id,), unk_id=spec.unk_id)
    arguments = {}
    if beams is not None:
        options, arguments = replace(options, beam_size=beams), {"num_beams": beams}
        if beams > 1:
            early = both.theirs.generation_config.early_stopping
            options = replace(options, stop="enough" if early else "estimate")
    if options.forced_first >= 0:
        arguments["forced_bos_token_id"] = options.forced_first
    memory = both.ours.model.encode(both.batch)
    decoder, lengths = both.ours.model.decoder, both.batch.source_mask.sum(1).tolist()
    found = search(decoder.step, decoder.init_state(memory, len(lengths)), options, source_lengths=lengths)
    written = both.theirs.generate(**both.source, **arguments)
    for [hypothesis], row in zip(found, written.tolist(), strict=True):
        assert row[0] == spec.bos_id
        assert row[1 : 1 + len(hypothesis.tokens)] == hypothesis.tokens
        assert set(row[1 + len(hypothesis.tokens) :]) <= {spec.pad_id, spec.eos_id}  # what it fills rows with
    assert len({tuple(hypotheses[0].tokens) for hypotheses in found}) > 1


def test_texts_are_equal(both: Both) -> None:
    inputs = both.tokenizer(checkpoints.SENTENCES[:4], return_tensors="pt", padding=True)
    forced = both.ours.options().forced_first
    arguments = {"forced_bos_token_id": forced} if forced >= 0 else {}
    written = both.theirs.generate(**inputs, **arguments)
    wanted = both.tokenizer.batch_decode(written, skip_special_tokens=True)
    if "M2M100" in type(both.tokenizer).__name__:  # to which codes are words where no file lists them
        wanted = [re.sub("__[a-z]+__", "", text).strip() for text in wanted]
    assert [output.text for output in both.ours(checkpoints.SENTENCES[:4])] == wanted


def test_what_is_no_text_is_shown(both: Both) -> None:
    for bad in ("half of a pair: \ud83d", None):
        with pytest.raises(DataError, match=re.escape(f"valid Unicode, got {bad!r}")):
            both.ours.task.encode([Example("fine"), Example(bad)])  # type: ignore[arg-type]


def test_ids_are_equal(both: Both) -> None:
    ours = both.ours.task.encode([Example(text, text) for text in TEXTS])
    assert [example.source for example in ours] == both.tokenizer(TEXTS).input_ids
    labels = both.tokenizer(text_target=TEXTS).input_ids
    code = both.ours.task.target_spec.bos_id
    if both.tokenizer.__class__.__name__.startswith("MBartTokenizer"):  # whose labels end with what decoders start with
        assert {row.pop() for row in labels} == {code}
    assert [example.target for example in ours] == labels


@pytest.mark.parametrize("family", ["t5", "mt5", "pegasus", "mbart", "mbart50"])
def test_pieces_alone_are_enough(family: str, checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    """Without a ``tokenizer.json``, as on the hub often; then like the tokenizers that transformers calls slow."""
    from transformers import AutoTokenizer

    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint(family), folder, ignore=shutil.ignore_patterns("tokenizer.json"))
    codes = zip(("source_language", "target_language"), checkpoints.LANGUAGES.get(family, ()), strict=False)
    s2s("import", "hf", folder, tmp_path / "run", *(f"--set={name}={code}" for name, code in codes))
    ours = load(tmp_path / "run").task
    theirs = AutoTokenizer.from_pretrained(folder, use_fast=False)
    found = ours.encode([Example(text) for text in TEXTS])
    assert [example.source for example in found] == theirs(TEXTS).input_ids
    target = ours.tokenizers()["target"]
    for example in found:
        assert target.decode(example.source) == theirs.decode(example.source, skip_special_tokens=True)
        assert target.tokens(example.source) == theirs.convert_ids_to_tokens(example.source)


def test_a_task_of_t5_brings_its_prefix_and_its_settings(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    s2s("import", "hf", checkpoint("t5"), tmp_path / "run", "--set=task=translation_en_to_fr")
    ours = load(tmp_path / "run")
    theirs, tokenizer = (c.from_pretrained(checkpoint("t5")) for c in (AutoModelForSeq2SeqLM, AutoTokenizer))
    task = theirs.config.task_specific_params["translation_en_to_fr"]
    texts = checkpoints.SENTENCES[:4]
    inputs = tokenizer([task["prefix"] + text for text in texts], return_tensors="pt", padding=True)
    written = theirs.generate(**inputs, num_beams=task["num_beams"], max_length=task["max_length"])
    assert [output.text for output in ours(texts)] == tokenizer.batch_decode(written, skip_special_tokens=True)
    assert (ours.config.search.beam_size, ours.config.search.max_length) == (4, 17)


def test_marian_takes_a_language_before_the_text(checkpoint: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    s2s("import", "hf", checkpoint("marian"), tmp_path / "run", "--set=prefix='>>fra<< '")
    [encoded] = load(tmp_path / "run").task.encode([Example("How are you?")])
    tokenizer = AutoTokenizer.from_pretrained(checkpoint("marian"))
    assert encoded.source == tokenizer(">>fra<< How are you?").input_ids
    assert encoded.source[0] == tokenizer.convert_tokens_to_ids(">>fra<<")
