"""The tester of encoders passes every built-in one, and names each fault that is planted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from tiny_models import CELLS, SOURCE, model_config, tiny_batch
from torch import Tensor, nn

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch, Encoder, Memory, MemorySpec, Precision, SourceSpec
from seq2seq_kit.registry import build
from seq2seq_kit.testing import ContractError, check_encoder

SIZE = 6


class Sound(Encoder):
    """Embeddings with their mean over the sentence, which is also the final state."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(9, SIZE)
        self.memory_spec = MemorySpec(SIZE, {"h": (1, SIZE)})

    def forward(self, batch: Batch) -> Memory:
        x = self.embedding(batch.source)
        mean = self.mean(x, batch.source_mask)
        return Memory(x + mean.unsqueeze(1), batch.source_mask, {"h": mean.unsqueeze(1)})

    def mean(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.masked_fill(~mask.unsqueeze(2), 0).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


class ReadsPadding(Sound):
    def mean(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


class CountsPadding(Sound):
    def mean(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.masked_fill(~mask.unsqueeze(2), 0).mean(1)


class EndsAtPadding(Sound):
    def forward(self, batch: Batch) -> Memory:
        memory = super().forward(batch)
        return Memory(memory.states, memory.mask, {"h": memory.states[:, -1:]})


class MixesSentences(Sound):
    def mean(self, x: Tensor, mask: Tensor) -> Tensor:
        return super().mean(x, mask).cumsum(0)


class DividesByZero(Sound):
    def mean(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.masked_fill(~mask.unsqueeze(2), 0).sum(1) / mask.sum(1, keepdim=True)


class Drops(Sound):
    def mean(self, x: Tensor, mask: Tensor) -> Tensor:
        return nn.functional.dropout(super().mean(x, mask), 0.5)


class Remembers(Sound):
    def mean(self, x: Tensor, mask: Tensor) -> Tensor:
        self.last = super().mean(x, mask)
        return self.last


class WritesSource(Sound):
    def forward(self, batch: Batch) -> Memory:
        batch.source.masked_fill_(~batch.source_mask, 0)
        return super().forward(batch)


class OtherFinal(Sound):
    def forward(self, batch: Batch) -> Memory:
        memory = super().forward(batch)
        return Memory(memory.states, memory.mask, {"c": memory.final["h"]})


class OtherSize(Sound):
    def forward(self, batch: Batch) -> Memory:
        memory = super().forward(batch)
        return Memory(memory.states[..., :4], memory.mask, memory.final)


class PadsOnTheLeft(Sound):
    def forward(self, batch: Batch) -> Memory:
        memory = super().forward(batch)
        return Memory(memory.states, memory.mask.flip(1), memory.final)


class OtherNative(Sound):
    def native(self, precision: Precision = "fp32") -> OtherNative:
        return self

    def encode(self, batch: Batch) -> Memory:
        memory = self(batch)
        return Memory(memory.states, memory.mask, {"h": memory.final["h"] * 1.01})


PLANTED: dict[type[Sound], tuple[str, str]] = {
    ReadsPadding: ("padding", r"what stands in the padding of batch.source changes memory.states: .* apart; use"),
    CountsPadding: ("padding", r"more padding changes memory.states"),
    EndsAtPadding: ("padding", r"changes memory.final\['h'\]: .* and to find the last"),
    MixesSentences: ("sentences", r"alone, sentence 1 gives other memory.states: .* may depend on nothing but itself"),
    DividesByZero: ("empty", "an empty source gives NaN"),
    Drops: ("deterministic", "gives other memory.states: .*is dropout on"),
    Remembers: ("self", "reading changes self.last; what a decoder needs goes into the memory"),
    WritesSource: ("deterministic", "writes into the batch's source in place"),
    OtherFinal: ("memory", r"memory.final has {'c': \(4, 1, 6\)}, but memory_spec.final promises {'h': \(4, 1, 6\)}"),
    OtherSize: ("memory", r"memory.states has shape \[4, 6, 4\]; it must be \[B, S', H\] = \[4, S', 6\]"),
    OtherNative: ("native", r"what native\(\) offers gives other memory.final\['h'\]: .* apart than forward; they"),
    PadsOnTheLeft: ("memory", "a real position after padding"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Sound]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_encoder(planted(), SourceSpec(vocab_size=9))
    [fault] = caught.value.report.faults
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


def test_the_encoder_to_plant_faults_in_is_sound() -> None:
    assert not check_encoder(Sound(), SourceSpec(vocab_size=9)).faults
    assert not check_encoder(Sound(), tiny_batch()).faults


@pytest.mark.parametrize("options", [{}, {"layers": 1, "bidirectional": False}])
@pytest.mark.parametrize("source", [SOURCE, SourceSpec(feature_size=3)])
@pytest.mark.parametrize("name", CELLS)
def test_built_in_encoders_keep_the_contract(name: str, source: SourceSpec, options: dict[str, Any]) -> None:
    encoder = build("encoder", model_config({"name": name, **options}).encoder, source)
    assert not check_encoder(encoder, source).faults


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a Linear; it checks a seq2seq_kit.Encoder"):
        check_encoder(nn.Linear(2, 2), SOURCE)
    with pytest.raises(UserError, match="no check 'order' to skip; there are memory, "):
        check_encoder(Sound(), SOURCE, skip=["order"])
