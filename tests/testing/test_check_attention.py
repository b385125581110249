"""The tester of attention passes every built-in one, and names each fault that is planted."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from tiny_models import ATTENTIONS
from torch import Tensor, nn

from seq2seq_kit.config import Config, component_field, validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict
from seq2seq_kit.registry import build
from seq2seq_kit.testing import ContractError, check_attention

SIZE, QUERY = 6, 5
SPEC = MemorySpec(SIZE)


class Sound(Attention):
    """Dot products, less where it has looked before: a recurrent attention."""

    recurrent = True
    context_size = SIZE

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.query = nn.Linear(QUERY, SIZE)
        self.key = nn.Linear(SIZE, SIZE)

    def project(self, memory: Memory) -> TensorDict:
        values = memory.states.masked_fill(~memory.mask.unsqueeze(2), 0)
        return {"keys": self.key(values), "values": values, "mask": memory.mask}

    def init_state(self, projected: TensorDict) -> TensorDict:
        return {"seen": projected["keys"][:, None, :, 0] * 0}

    def look(self, query: Tensor, projected: TensorDict) -> Tensor:
        return self.query(query) @ projected["keys"].transpose(1, 2)

    def normal(self, scores: Tensor, mask: Tensor) -> Tensor:
        lowest = torch.finfo(scores.dtype).min
        return scores.masked_fill(~mask, lowest).softmax(-1).masked_fill(~mask, 0)

    def forward(
        self, query: Tensor, projected: TensorDict, state: TensorDict
    ) -> tuple[Tensor, Tensor | None, TensorDict]:
        scores = self.look(query, projected) - state["seen"]  # [B, Q, S']
        weights = self.normal(scores, projected["mask"].unsqueeze(1))
        return weights @ projected["values"], weights, {"seen": state["seen"] + weights}


class KeepsThePast(Sound):
    """One tensor of the past on self, where nobody reorders it."""

    def init_state(self, projected: TensorDict) -> TensorDict:
        self.seen: Tensor | None = None
        return super().init_state(projected)

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> Any:
        if self.seen is not None and self.seen.shape == state["seen"].shape:
            state = {"seen": self.seen}
        context, weights, new = super().forward(query, projected, state)
        self.seen = new["seen"]
        return context, weights, new


class KeysOnSelf(Sound):
    def project(self, memory: Memory) -> TensorDict:
        projected = super().project(memory)
        self.keys = projected["keys"]
        return projected


KEYS: list[Tensor] = []


class KeysInAGlobal(Sound):
    def project(self, memory: Memory) -> TensorDict:
        projected = super().project(memory)
        KEYS[:] = [projected["keys"]]
        return projected

    def look(self, query: Tensor, projected: TensorDict) -> Tensor:
        return super().look(query, {"keys": KEYS[0]})


PAST: dict[int, Tensor] = {}


class NotReordered(Sound):
    """A second tensor of the past is found by the number of the slot, not in the state."""

    def init_state(self, projected: TensorDict) -> TensorDict:
        PAST.clear()
        return super().init_state(projected)

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> Any:
        context, weights, new = super().forward(query, projected, state)
        for k in range(query.shape[1]):
            past = PAST.get(k, torch.zeros_like(context[:, 0]))
            PAST[k] = past + context[:, k] if past.shape == context[:, k].shape else context[:, k]
        return context + torch.stack([PAST[k] for k in range(query.shape[1])], 1), weights, new


class ReadsPadding(Sound):
    def normal(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.softmax(-1) * mask


class WeighsPadding(Sound):
    """Only in what it reports."""

    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> Any:
        context, weights, new = super().forward(query, projected, state)
        return context, weights + 0.01, new


class NothingToLookAt(Sound):
    def normal(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.masked_fill(~mask, -torch.inf).softmax(-1)


class Drops(Sound):
    def look(self, query: Tensor, projected: TensorDict) -> Tensor:
        return nn.functional.dropout(super().look(query, projected), 0.5)


class InFloat32(Sound):
    def look(self, query: Tensor, projected: TensorDict) -> Tensor:
        return super().look(query, projected) + torch.ones(1, dtype=torch.float32, device=query.device)


class SeenInFloat32(Sound):
    def init_state(self, projected: TensorDict) -> TensorDict:
        return {"seen": torch.zeros_like(projected["keys"][:, None, :, 0], dtype=torch.float32)}


class OnTheCPU(Sound):
    def init_state(self, projected: TensorDict) -> TensorDict:
        mask = projected["mask"]
        return {"seen": torch.zeros(mask.shape[0], 1, mask.shape[1], dtype=projected["keys"].dtype)}


class MixesQueries(Sound):
    def look(self, query: Tensor, projected: TensorDict) -> Tensor:
        return super().look(query - query.mean(1, keepdim=True), projected)


class MixesSentences(Sound):
    def project(self, memory: Memory) -> TensorDict:
        projected = super().project(memory)
        return {**projected, "keys": projected["keys"] - projected["keys"].mean(0)}


class WritesKeys(Sound):
    def look(self, query: Tensor, projected: TensorDict) -> Tensor:
        projected["keys"].mul_(0.9)
        return super().look(query, projected)


class WritesTheState(Sound):
    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> Any:
        context, weights, new = super().forward(query, projected, state)
        return context, weights, {"seen": state["seen"].copy_(new["seen"])}


class SaysItIsNotRecurrent(Sound):
    recurrent = False


class ForgetsItsState(Sound):
    def forward(self, query: Tensor, projected: TensorDict, state: TensorDict) -> Any:
        context, weights, _ = super().forward(query, projected, state)
        return context, weights, {}


class OtherSize(Sound):
    context_size = 2 * SIZE


class LooseScale(Sound):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(1)


class LearnsNothing(Sound):
    def look(self, query: Tensor, projected: TensorDict) -> Tensor:
        return super().look(query, projected).detach()


PLANTED: dict[type[Sound], tuple[str, str]] = {
    KeepsThePast: ("self", r"looking up changes self.seen; .* into the state \(recurrent = True\)"),
    KeysOnSelf: ("self", "looking up changes self.keys; what depends on the source belongs into what project returns"),
    KeysInAGlobal: ("self", "after another batch was projected, it gives something else"),
    NotReordered: ("reorder", "a hypothesis does not go on from its own past .* belongs into the state"),
    ReadsPadding: ("padding", "changes the context at step 0, .* use memory.mask"),
    WeighsPadding: ("padding", "the weights at step 0 are not 0 on padding"),
    NothingToLookAt: ("empty", "without any real position gives NaN at step 0"),
    Drops: ("deterministic", r"asked again, it gives something else .*dropout on\?"),
    InFloat32: ("dtype", "cast to bfloat16"),
    SeenInFloat32: ("dtype", "cast to float64: the state is "),
    OnTheCPU: ("device", "init_state makes seen on cpu, wherever it is itself"),
    MixesQueries: ("queries", "query 0 of 3 sees something else than alone"),
    MixesSentences: ("sentences", "alone, sentence 0 gives something else"),
    WritesKeys: ("in_place", r"forward writes into projected\['keys'\] in place"),
    WritesTheState: ("in_place", r"forward writes into state\['seen'\] in place"),
    SaysItIsNotRecurrent: ("projection", "init_state gives 'seen', but recurrent is False"),
    ForgetsItsState: ("forward", "names, shapes and dtypes must stay"),
    OtherSize: ("forward", r"it must be \[B, Q, context_size\] = \[4, 3, 12\]"),
    LooseScale: ("save", "self.scale is a tensor that is neither parameter nor buffer"),
    LearnsNothing: ("gradients", "no gradient reaches self.query.weight and .* it would never be learned"),
}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.__name__)
def test_a_planted_fault_is_named_by_one_sentence(planted: type[Sound]) -> None:
    check, sentence = PLANTED[planted]
    with pytest.raises(ContractError) as caught:
        check_attention(planted(), SPEC, QUERY)
    fault = caught.value.report.faults[0]
    assert fault.check == check, str(caught.value)
    assert re.search(sentence, fault.detail), fault.detail


def test_the_attention_to_plant_faults_in_is_sound() -> None:
    report = check_attention(Sound(), SPEC, QUERY)
    assert {finding.verdict for finding in report.findings} == {"ok"}


class _Section(Config):
    attention: component_field("attention")  # type: ignore[valid-type]


@pytest.mark.parametrize("name", ATTENTIONS)
def test_built_in_attention_keeps_the_contract(name: str) -> None:
    section = validate(_Section, {"attention": ATTENTIONS[name]}, "test").attention
    unchecked = check_attention(build("attention", section, SIZE, SPEC), SPEC, SIZE).findings
    nothing = {"reorder", "gradients"} if name == "none" else {"reorder"}
    assert {finding.check for finding in unchecked if finding.verdict != "ok"} == nothing


def test_unusable_arguments_get_a_sentence() -> None:
    with pytest.raises(UserError, match=r"is given a Linear; it checks a seq2seq_kit.Attention"):
        check_attention(nn.Linear(2, 2), SPEC, 2)
    with pytest.raises(UserError, match="memory is a int; give a Memory or its MemorySpec"):
        check_attention(Sound(), 3, QUERY)
    one = Memory(torch.zeros(1, 2, SIZE), torch.ones(1, 2, dtype=torch.bool))
    with pytest.raises(UserError, match="one sentence; give two or more"):
        check_attention(Sound(), one, QUERY)
    with pytest.raises(UserError, match="no check 'order' to skip; there are projection, "):
        check_attention(Sound(), SPEC, QUERY, skip=["order"])
