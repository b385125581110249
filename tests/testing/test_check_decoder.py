"""The step-contract tester passes every built-in decoder, and names each fault that is planted."""

from __future__ import annotations

import re
from typing import Any

import faulty_decoders as faulty
import pytest
import torch
from sound_decoder import SIZE, TARGET, Bigrams, CopyingDecoder, SoundDecoder
from tiny_models import ATTENTIONS, CELLS, VARIANTS, member, model_config, tiny_batch
from torch import nn

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Memory, MemorySpec
from seq2seq_kit.registry import build, registry
from seq2seq_kit.testing import ContractError, check_decoder
from seq2seq_kit.testing.check_decoder import CHECKS

SPEC = MemorySpec(SIZE)
BUILT_IN = [(cell, name, "current") for cell in CELLS for name in ATTENTIONS]
BUILT_IN += [(cell, "bahdanau", variant) for cell in CELLS for variant in VARIANTS if variant != "current"]


@pytest.mark.parametrize(("cell", "attention", "variant"), BUILT_IN)
def test_built_in_decoders_keep_the_contract(cell: str, attention: str, variant: str) -> None:
    model = member("gru", cell, attention, variant)
    report = check_decoder(model.decoder, model.encoder(tiny_batch()), target=TARGET)
    native = "ok" if model.decoder.eval().native() else "not checked"
    assert [finding.verdict for finding in report.findings] == ["ok"] * (len(CHECKS) - 1) + [native]


@pytest.mark.parametrize("cell", CELLS)
def test_language_models_keep_the_contract(cell: str) -> None:
    decoder = build("decoder", model_config("gru", {"name": cell, "attention": "none"}).decoder, TARGET, None)
    report = check_decoder(decoder)
    assert {f.check for f in report.findings if f.verdict != "ok"} - {"native"} == {"padding", "empty"}


def test_every_built_in_decoder_is_checked() -> None:
    provided = [p for p in registry().provided("decoder") if p.provider.distribution == "seq2seq-kit"]
    assert {p.component.name for p in provided} == {*CELLS, "transformer"}  # in tests/decoders, with all its options


def test_the_decoder_to_plant_faults_in_is_sound() -> None:
    assert not check_decoder(SoundDecoder(), SPEC).faults
    assert not check_decoder(SoundDecoder()).faults


def test_decoders_that_copy_or_have_no_state_are_sound() -> None:
    assert not check_decoder(CopyingDecoder(), SPEC, target=TARGET).faults
    assert not check_decoder(Bigrams()).faults


def test_what_is_wrong_with_words_of_the_sources_own_is_named() -> None:
    with pytest.raises(ContractError, match=r"FAILED  copying: after a word of the source's own .* \(scores at step 1"):
        check_decoder(faulty.ReadsCopiesAsAnother(), SPEC, target=TARGET)
    with pytest.raises(ContractError, match="FAILED  copying: ids of V and more must be scored where own_words says"):
        check_decoder(faulty.CopiesAnyPosition(), SPEC, target=TARGET)
    with pytest.raises(UserError, match="a decoder that copies is checked with the vocabulary"):
        check_decoder(faulty.CopiesAnyPosition(), SPEC)


PLANTED: dict[type[SoundDecoder], tuple[str, str]] = {
    faulty.RowsOnSelf: ("self", r"decoding changes self.kept; .* goes into rows or history"),
    faulty.MemoryOnSelf: ("self", r"decoding changes self.memory; .* to a source into sentences"),
    faulty.CountsCalls: ("self", "decoding changes self.input.calls;"),
    faulty.CacheOnClass: ("self", "decoding changes self.cache;"),
    faulty.ReplacesBuffer: ("self", "decoding changes self.mean;"),
    faulty.InAClosure: ("self", r"takes turns with another gives something else \(scores at step .* a closure"),
    faulty.CacheByRequest: ("reorder", r"does not score as the hypothesis .* \(step \d, .* move it to rows"),
    faulty.RowsOfTheFirstSlot: (
        "slots",
        r"hypothesis 1 of 3 .* scores of others change with rows\['h'\] of one slot",
    ),
    faulty.HistoryOfTheFirstSlot: ("slots", r"scores of others change with history\['past'\] of one slot"),
    faulty.SlotsNormalised: ("slots", "scores of others change with tokens of one slot"),
    faulty.SlotsAsSentences: ("slots", "what a slot needs is lost, or another's is taken"),
    faulty.SentencesNormalised: (
        "sentences",
        "leave before step 0 .* scores of others change with tokens of one sentence",
    ),
    faulty.ReadsPadding: ("padding", r"what stands in the padding of memory.states changes scores .* use memory.mask"),
    faulty.CountsPadding: ("padding", "more padding changes scores at step 0, sentence"),
    faulty.AttendsToPadding: ("padding", "attention at step 0 falls on padding; .* must be exactly 0"),
    faulty.NothingToAttendTo: ("empty", "without any real position gives NaN at step 0"),
    faulty.WritesRows: ("in_place", r"step writes into rows\['h'\] in place"),
    faulty.WritesMemory: ("in_place", "init_state writes into memory.states in place"),
    faulty.WritesWeights: ("in_place", "forward writes into self.embedding.weight in place"),
    faulty.WritesTokens: ("in_place", "step writes into tokens in place"),
    faulty.PositionFromOne: ("forward", r"\(sentence .* agree when step is given position -1; both must count from 0"),
    faulty.ScaledInTraining: ("forward", "the first position is apart already"),
    faulty.SeesLaterTokens: ("forward", "a position sees later tokens: it needs a causal mask"),
    faulty.ForgetsRows: ("forward", "the first 1 agree: is something lost between steps"),
    faulty.OtherAttention: ("forward", "step returns attention and the other does not"),
    faulty.OutputAcrossPositions: ("forward", "other scores for a chunk of positions"),
    faulty.SaysItNeedsNoMemory: ("forward", "output_reads_memory is False, but output fails without a memory .*keys"),
    faulty.OutputOfOneSentence: ("forward", "output_reads_memory is False, but output gives other scores"),
    faulty.Detaches: ("gradients", "another gradient from steps than from forward"),
    faulty.WithoutAutograd: ("gradients", "scores of steps have no gradient"),
    faulty.DropsInEval: ("deterministic", "is dropout on"),
    faulty.BeamsFromTheStart: ("state", r"rows\['h'\] shape \[4, 5, 6\]; with B = 4 it must be \[B, K = 1, ...\]"),
    faulty.PastFromTheStart: (
        "state",
        r"history\['past'\] shape \[4, 1, 1, 6\]; with B = 4 it must be .* no position yet",
    ),
    faulty.HeadsInTheBatch: ("state", r"sentences\['keys'\] shape \[8, 6, 6\]; with B = 4 it must be \[B, ...\]"),
    faulty.ReturnsTheWholePast: ("step", r"new_history\['past'\] with shape \[4, 3, 2, 6\]; .* the new position alone"),
    faulty.LeavesRowsOut: ("step", "rows leave out 'h' and add 'hidden'"),
    faulty.OneSlotOnly: ("step", r"scores have shape \[4, 11\]; they must be \[B, K, V'\] = \[4, 3, ...\]"),
    faulty.OtherKind: ("step", "scores are 'logits', but the decoder's score_kind is 'log_probs'"),
    faulty.ScoresNaN: ("step", "step 0 scores some tokens NaN"),
    faulty.ZerosInFloat32: ("dtype", r"cast to float64: rows\['h'\] is float32 before a step and float64 after it"),
    faulty.ComputesInFloat32: ("dtype", r"RuntimeError in recur \(sound_decoder.py, line \d+\): .*dtype"),
    faulty.ZerosOnTheCPU: ("device", r"init_state makes rows\['h'\] on cpu, wherever it is itself"),
    faulty.PositionsOnTheCPU: (
        "device",
        r"in embed \(sound_decoder.py, line \d+\): embedding is given tensors on more than one",
    ),
    faulty.LooseTensor: ("save", "self.scales is a tensor that is neither parameter nor buffer"),
    faulty.SharesAWeight: ("save", "cannot be saved as safetensors: .*share memory"),
    faulty.UnsavedScale: ("save", "saved and loaded, it gives other scores"),
    faulty.NeedsAutograd: ("engine", "RuntimeError in recur .* does not require grad"),
    faulty.OtherwiseInSearch: (
        "engine",
        r"in a search, step \d of sentence 0 scores a token -.* forward scores -",
    ),
    faulty.ViewsHistory: (
        "engine",
        r"RuntimeError in step \(faulty_decoders.py, line \d+\): view size is not",
    ),
    faulty.OtherNative: ("native", "sentence 0: by the native stepper the best hypotheses score -.* by step -"),
    faulty.Raises: ("step", r"KeyError in attend \(faulty_decoders.py, line \d+\): 'keys'"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[SoundDecoder]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_decoder(planted(), SPEC)
    faults = caught.value.report.faults
    assert [fault.check for fault in faults] == [check], str(caught.value)
    assert re.search(sentence, faults[0].detail), faults[0].detail
    assert faults[0].detail in str(caught.value) and planted.__name__ in str(caught.value)


def test_extras_are_padding_too() -> None:
    words = torch.arange(6.0).expand(4, 6)
    memory = Memory(
        torch.randn(4, 6, SIZE), torch.arange(6) < torch.tensor([[6], [3], [5], [1]]), extras={"words": words}
    )
    with pytest.raises(ContractError, match=r"the padding of memory.extras\['words'\] changes scores at step 0"):
        check_decoder(faulty.ReadsPaddedExtras(), memory)
    assert not check_decoder(SoundDecoder(), memory).faults


def test_an_output_layer_of_zeros_hides_no_fault() -> None:
    decoder = faulty.RowsOfTheFirstSlot()
    nn.init.zeros_(decoder.out.weight)
    with pytest.raises(ContractError, match="slots: "):
        check_decoder(decoder, SPEC)


def test_the_decoder_and_the_random_numbers_of_the_caller_stay_as_they_are() -> None:
    decoder = SoundDecoder().train()
    nn.init.zeros_(decoder.out.bias)
    before, generator = {n: x.clone() for n, x in decoder.state_dict().items()}, torch.get_rng_state()
    check_decoder(decoder, SPEC)
    assert decoder.training and torch.equal(generator, torch.get_rng_state())
    assert all(torch.equal(x, before[name]) for name, x in decoder.state_dict().items())
    assert all(parameter.grad is None for parameter in decoder.parameters())


def test_a_memory_stays_as_it_is_and_may_come_out_of_inference_mode() -> None:
    states, mask = torch.randn(3, 4, SIZE), torch.arange(4) < torch.tensor([[4], [2], [3]])
    with pytest.raises(ContractError, match=r"in_place: init_state writes into memory.states"):
        check_decoder(faulty.WritesMemory(), Memory(states, mask))
    assert states[~mask].all()
    with torch.inference_mode():
        assert not check_decoder(SoundDecoder(), Memory(states * 2, mask)).faults


def test_a_check_can_be_left_out_and_what_waits_for_a_fault_says_so() -> None:
    assert check_decoder(faulty.Detaches(), SPEC, skip=["gradients"])["gradients"].verdict == "not checked"
    with pytest.raises(ContractError) as caught:
        check_decoder(faulty.DropsInEval(), SPEC)
    report = caught.value.report
    assert report["engine"].detail == "waits for reorder, forward"
    assert report["gradients"].verdict == "not checked" and report["in_place"].verdict == "ok"


def test_a_decoder_that_cannot_be_copied_is_refused_with_the_likely_cause() -> None:
    decoder = faulty.RowsOnSelf()
    decoder.step(torch.ones(2, 1).long(), torch.zeros(2).long(), decoder.init_state(None, 2))
    with pytest.raises(UserError, match=r"RowsOnSelf is checked on a copy, .*does it keep on self a tensor"):
        check_decoder(decoder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"decoder": nn.Linear(2, 2)}, "is given a Linear; it checks a seq2seq_kit.Decoder"),
        ({"memory": 3}, "memory is a int; give a Memory, its MemorySpec, or None"),
        ({"memory": Memory(torch.zeros(1, 2, SIZE), torch.ones(1, 2).bool())}, "memory holds one sentence; give two"),
        ({"skip": ["order"]}, "no check 'order' to skip; there are state, step, "),
    ],
)
def test_unusable_arguments_get_a_sentence(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_decoder(**{"decoder": SoundDecoder(), **arguments})
