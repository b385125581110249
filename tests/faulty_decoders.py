"""Decoders that break the contract in one way each, otherwise sound: what the step-contract tester must name."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from sound_decoder import SIZE, TARGET, CopyingDecoder, SoundDecoder
from torch import Tensor, nn

from seq2seq_kit.decoders.transformer import TransformerDecoder, TransformerDecoderConfig
from seq2seq_kit.interfaces import (
    DecoderOutput,
    DecoderState,
    Memory,
    MemorySpec,
    NativeDecoder,
    Precision,
    StepOutput,
    TensorDict,
)


class RowsOnSelf(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        kept = getattr(self, "kept", None) if position[0] else None
        h = state.rows["h"] if kept is None else kept
        output = super().step(tokens, position, DecoderState({"h": h}, state.history, state.sentences))
        self.kept = output.rows["h"]
        return output


class MemoryOnSelf(SoundDecoder):
    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        self.memory = memory
        return super().init_state(memory, batch_size)


class CountsCalls(SoundDecoder):
    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        self.input.calls = getattr(self.input, "calls", 0) + 1
        return super().recur(x, h)


class CacheOnClass(SoundDecoder):
    cache: dict[int, Tensor] = {}

    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        self.cache[0] = x.detach()
        return super().recur(x, h)


class ReplacesBuffer(SoundDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(SIZE))

    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        self.mean = x.detach().flatten(0, -2).mean(0)
        return super().recur(x, h)


STRAY: list[Tensor] = []


class InAClosure(SoundDecoder):
    """Its rows go through a list that no attribute leads to."""

    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        STRAY.clear()
        return super().init_state(memory, batch_size)

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        if STRAY and STRAY[0].shape == state.rows["h"].shape and position[0]:
            state = DecoderState({"h": STRAY[0]}, state.history, state.sentences)
        output = super().step(tokens, position, state)
        STRAY[:] = [output.rows["h"]]
        return output


REQUESTS: dict[int, Tensor] = {}


class CacheByRequest(SoundDecoder):
    """What each slot read lies in a table of requests, where nobody reorders it."""

    def project(self, memory: Memory | None) -> TensorDict:
        count = memory.mask.shape[0]
        first = 1 + max(REQUESTS, default=0)
        REQUESTS.update({first + b: torch.zeros(9, SIZE) for b in range(count)})
        return {**super().project(memory), "request": torch.arange(first, first + count, device=self.out.weight.device)}

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        keys = state.sentences["request"].tolist()
        h = torch.stack([REQUESTS[key][: tokens.shape[1]] for key in keys]).to(self.out.weight)  # [B, K, H]
        output = super().step(tokens, position, DecoderState({"h": h}, state.history, state.sentences))
        for b, key in enumerate(keys):
            REQUESTS[key] = F.pad(output.rows["h"][b], (0, 0, 0, 9 - tokens.shape[1]))
        return output


class RowsOfTheFirstSlot(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        first = {"h": state.rows["h"][:, :1].expand_as(state.rows["h"])}
        return super().step(tokens, position, DecoderState(first, state.history, state.sentences))


class HistoryOfTheFirstSlot(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        first = {"past": state.history["past"][:, :1].expand_as(state.history["past"])}
        return super().step(tokens, position, DecoderState(state.rows, first, state.sentences))


class SlotsNormalised(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        output.scores = output.scores - output.scores.mean(1, keepdim=True)
        return output


class SlotsAsSentences(SoundDecoder):
    """[B, K] flattened one way round and unflattened the other."""

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        batch, beams = tokens.shape
        output.rows = {"h": output.rows["h"].flatten(0, 1).unflatten(0, (beams, batch)).transpose(0, 1)}
        return output


class SentencesNormalised(SoundDecoder):
    def embed(self, tokens: Tensor, position: Tensor) -> Tensor:
        x = super().embed(tokens, position)
        return x - x.mean(0, keepdim=True)


class ReadsPadding(SoundDecoder):
    def attend(self, query: Tensor, source: TensorDict) -> tuple[Tensor, Tensor | None]:
        return super().attend(query, source and {**source, "mask": torch.ones_like(source["mask"])})

    def project(self, memory: Memory | None) -> TensorDict:
        return (memory and {"keys": self.key(memory.states), "values": memory.states, "mask": memory.mask}) or {}


class CountsPadding(SoundDecoder):
    def attend(self, query: Tensor, source: TensorDict) -> tuple[Tensor, Tensor | None]:
        context, weights = super().attend(query, source)
        return (context + source["values"].mean(1, keepdim=True) if source else context), weights


class ReadsPaddedExtras(SoundDecoder):
    def project(self, memory: Memory | None) -> TensorDict:
        projected = super().project(memory)
        return {**projected, "values": projected["values"] + memory.extras["words"].sum(1)[:, None, None]}


class AttendsToPadding(SoundDecoder):
    """Only in what it reports."""

    def attend(self, query: Tensor, source: TensorDict) -> tuple[Tensor, Tensor | None]:
        context, weights = super().attend(query, source)
        return context, None if weights is None else weights + 0.1


class NothingToAttendTo(SoundDecoder):
    def attend(self, query: Tensor, source: TensorDict) -> tuple[Tensor, Tensor | None]:
        scores = query @ source["keys"].transpose(1, 2)
        weights = scores.masked_fill(~source["mask"].unsqueeze(1), -torch.inf).softmax(-1)
        return weights @ source["values"], weights


class WritesRows(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        output.rows = {"h": state.rows["h"].copy_(output.rows["h"])}
        return output


class WritesMemory(SoundDecoder):
    def project(self, memory: Memory | None) -> TensorDict:
        memory.states.masked_fill_(~memory.mask.unsqueeze(-1), 0)
        return super().project(memory)


class WritesWeights(SoundDecoder):
    def embed(self, tokens: Tensor, position: Tensor) -> Tensor:
        with torch.no_grad():
            self.embedding.weight.mul_(0.9)
        return super().embed(tokens, position)


class WritesTokens(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return super().step(tokens.clamp_(max=5), position, state)


class PositionFromOne(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return super().step(tokens, position + 1, state)


class ScaledInTraining(SoundDecoder):
    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        return DecoderOutput(super().forward(prefix, memory).hidden * SIZE**0.5)


class SeesLaterTokens(SoundDecoder):
    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        decoded = super().forward(prefix, memory)
        return DecoderOutput(decoded.hidden + decoded.hidden.roll(-1, 1) * 0.1, decoded.attention)


class ForgetsRows(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        output.rows = {"h": torch.zeros_like(output.rows["h"])}
        return output


class OtherAttention(SoundDecoder):
    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        decoded = super().forward(prefix, memory)
        return DecoderOutput(decoded.hidden, None)


class OutputAcrossPositions(SoundDecoder):
    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        decoded = super().forward(prefix, memory)
        count = torch.full_like(decoded.hidden[:, :, :1], prefix.shape[1])
        return DecoderOutput(torch.cat([decoded.hidden, count], -1), decoded.attention)

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        whole = hidden.shape[1] == int(hidden[0, 0, -1])
        return self.out(hidden[..., :SIZE]) + (0 if whole else 1)


class SaysItNeedsNoMemory(SoundDecoder):
    output_reads_memory = False

    def score(self, hidden: Tensor, source: TensorDict) -> Tensor:
        return self.out(hidden) + 0 * source["keys"].sum()


class OutputOfOneSentence(SoundDecoder):
    output_reads_memory = False

    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        return self.out(hidden) + (hidden.shape[0] == 1)


class Detaches(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        output.rows = {"h": output.rows["h"].detach()}
        return output


class WithoutAutograd(SoundDecoder):
    @torch.no_grad()
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        return super().step(tokens, position, state)


class DropsInEval(SoundDecoder):
    def embed(self, tokens: Tensor, position: Tensor) -> Tensor:
        return F.dropout(super().embed(tokens, position), 0.3)


class BeamsFromTheStart(SoundDecoder):
    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        state = super().init_state(memory, batch_size)
        return state.select(torch.zeros(batch_size, 5, dtype=torch.long))


class PastFromTheStart(SoundDecoder):
    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        state = super().init_state(memory, batch_size)
        return DecoderState(state.rows, {"past": self.zeros(batch_size, 1, 1, SIZE)}, state.sentences)


class HeadsInTheBatch(SoundDecoder):
    def project(self, memory: Memory | None) -> TensorDict:
        return {name: x.repeat_interleave(2, 0) for name, x in super().project(memory).items()}


class ReturnsTheWholePast(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        output.new_history = {"past": torch.cat([state.history["past"], output.new_history["past"]], 2)}
        return output


class LeavesRowsOut(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        output.rows = {"hidden": output.rows["h"]}
        return output


class OneSlotOnly(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        output.scores = output.scores[:, 0]
        return output


class OtherKind(SoundDecoder):
    score_kind = "log_probs"


class ScoresNaN(SoundDecoder):
    def score(self, hidden: Tensor, source: TensorDict) -> Tensor:
        return super().score(hidden, source).log()


class ZerosInFloat32(SoundDecoder):
    def zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float32, device=self.out.weight.device)

    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        return super().recur(x, h.to(x.dtype))


class ComputesInFloat32(SoundDecoder):
    def embed(self, tokens: Tensor, position: Tensor) -> Tensor:
        return super().embed(tokens, position).float()


class ZerosOnTheCPU(SoundDecoder):
    def zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=self.out.weight.dtype)


class PositionsOnTheCPU(SoundDecoder):
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        t = torch.full((tokens.shape[0],), state.history["past"].shape[2])
        return super().step(tokens, t, state)


class LooseTensor(SoundDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.scales = {"query": torch.randn(SIZE)}

    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        return super().recur(x, h * self.scales["query"])


class SharesAWeight(SoundDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.out.weight = self.embedding.weight


class UnsavedScale(SoundDecoder):
    """Learnt, but left out of what is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(SIZE))

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        return {name: x for name, x in super().state_dict(*args, **kwargs).items() if name != "scale"}

    def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> Any:
        return super().load_state_dict(state, strict=False)

    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        return super().recur(x * self.scale, h)


class NeedsAutograd(SoundDecoder):
    def recur(self, x: Tensor, h: Tensor) -> Tensor:
        with torch.enable_grad():
            y = (x.detach() + 0).requires_grad_()
            (slope,) = torch.autograd.grad(y.square().sum(), y)
        return super().recur(x + slope.detach() * 0, h)


class ViewsHistory(SoundDecoder):
    """Takes the past for contiguous, which is so when it unrolls itself, but not in the engine."""

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        past = state.history["past"]  # [B, K, t, H]
        past = past.view(past.shape[0], past.shape[1] * past.shape[2], SIZE).view(past.shape)
        return super().step(tokens, position, DecoderState(state.rows, {"past": past}, state.sentences))


class OtherwiseInSearch(SoundDecoder):
    """Has a short cut for inference, which computes something else."""

    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        output = super().step(tokens, position, state)
        if torch.is_inference_mode_enabled():
            output.scores = output.scores * 1.1
        return output


class OtherNative(SoundDecoder):
    """Offers the native stepper of another decoder."""

    def native(self, precision: Precision = "fp32") -> NativeDecoder | None:
        config = TransformerDecoderConfig(size=8, layers=1, heads=2, feed_forward_size=8)
        other = TransformerDecoder(config, TARGET, MemorySpec(SIZE)).eval()
        return None if self.training else other.native(precision)


class Raises(SoundDecoder):
    def attend(self, query: Tensor, source: TensorDict) -> tuple[Tensor, Tensor | None]:
        raise KeyError("keys")


class ReadsCopiesAsAnother(CopyingDecoder):
    def known(self, tokens: Tensor) -> Tensor:
        return tokens.clamp(max=TARGET.vocab_size - 1)


class CopiesAnyPosition(CopyingDecoder):
    copies = True
