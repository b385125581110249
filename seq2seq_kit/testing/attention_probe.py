"""An attention under test with something to look up: how the checks run it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seq2seq_kit.interfaces import Attention, Memory, MemorySpec, TensorDict
from seq2seq_kit.testing.probe import BEAMS, STEPS, TOLERANCE, difference, map_memory, working_copy
from seq2seq_kit.testing.tiny import random_memory

Looked = tuple[Tensor, Tensor | None]
"""Context [B, K, context_size] and weights [B, K, S'] of a step."""


@dataclass(frozen=True)
class AttentionProbe:
    """An attention in eval mode with a memory and what is asked of it.

    Args:
        queries: [B, K, T, D], what each of K hypotheses asks at each of T steps.
        tolerance: values that differ by up to this times the greatest of them (at least 1) differ by rounding.
    """

    attention: Attention
    memory: Memory
    queries: Tensor
    tolerance: float

    def start(self) -> tuple[TensorDict, TensorDict]:
        """What is projected of the memory, and the first state."""
        projected = self.attention.project(self.memory)
        return projected, self.attention.init_state(projected)

    def step(self, query: Tensor, projected: TensorDict, state: TensorDict) -> tuple[Looked, TensorDict]:
        """One look of K hypotheses: what they see, and the new state."""
        context, weights, state = self.attention(query, projected, state)
        return (context, weights), state

    def run(self, queries: Tensor | None = None) -> list[Looked]:
        """Every step of ``queries`` (default: the probe's own), a slot for each hypothesis."""
        queries = self.queries if queries is None else queries
        projected, state = self.start()
        state = select(state, torch.zeros(queries.shape[:2], dtype=torch.int64, device=queries.device))
        seen = []
        for t in range(queries.shape[2]):
            looked, state = self.step(queries[:, :, t], projected, state)
            seen.append(looked)
        return seen

    def cast(self, dtype: torch.dtype) -> AttentionProbe:
        """The same in another floating dtype, with a copy of the attention."""
        attention = copy.deepcopy(self.attention).to(dtype)
        memory = map_memory(self.memory, lambda x: x.to(dtype) if x.is_floating_point() else x)
        return AttentionProbe(attention, memory, self.queries.to(dtype), TOLERANCE.get(dtype, 0.05))

    def to(self, device: str) -> AttentionProbe:
        """The same on another device, with a copy of the attention."""
        attention = copy.deepcopy(self.attention).to(device)
        memory = map_memory(self.memory, lambda x: x.to(device))
        return replace(self, attention=attention, memory=memory, queries=self.queries.to(device))

    def first_difference(self, found: list[Looked], expected: list[Looked]) -> str | None:
        """Where two runs first differ, and how far; None: nowhere, but for rounding and for columns of padding."""
        for t, ((context, weights), (other, other_weights)) in enumerate(zip(found, expected, strict=True)):
            apart = self.difference(context, other)
            if apart is not None:
                return f"the context at step {t}, {apart}"
            if weights is not None and other_weights is not None:
                width = min(weights.shape[-1], other_weights.shape[-1])
                apart = self.difference(weights[..., :width], other_weights[..., :width])
                if apart is not None:
                    return f"the weights at step {t}, {apart}"
        return None

    def difference(self, found: Tensor, expected: Tensor) -> str | None:
        """None where two tensors [B, K, ...] are equal but for rounding; otherwise where they differ most."""
        return difference(found, expected, self.tolerance, ("sentence", "query"))


def make_attention_probe(attention: Attention, memory: Memory | MemorySpec, query_size: int) -> AttentionProbe:
    """A probe with a copy of ``attention`` and random queries."""
    attention = working_copy(attention)
    example = next((p for p in attention.parameters() if p.is_floating_point()), torch.empty(0))
    if isinstance(memory, MemorySpec):
        memory = random_memory(memory, example)
    memory = map_memory(memory, lambda x: x.detach().clone().to(example.device))
    queries = torch.randn(memory.mask.shape[0], BEAMS, STEPS, query_size).to(example)
    return AttentionProbe(attention, memory, queries, TOLERANCE.get(example.dtype, 0.05))


def select(state: TensorDict, parents: Tensor) -> TensorDict:
    """The state of the hypotheses ``parents`` [B, K'], as the engine gathers it."""
    sentence = torch.arange(parents.shape[0], device=parents.device).unsqueeze(1)
    return {name: x[sentence, parents] for name, x in state.items()}
