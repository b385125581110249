"""A caller's own processors, made ready for a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seq2seq_kit.errors import SearchError
from seq2seq_kit.interfaces import DecoderState, Memory, Processor, ProcessorOutput

Apply = Callable[[Tensor, Tensor, DecoderState], ProcessorOutput | Tensor]


@dataclass(frozen=True)
class OperatorProcessor:
    """A torch operator as a processor: no Python runs where it is compiled.

    The operator has the form ``(Tensor scores, Tensor tokens, Tensor[] rows, Tensor[] sentences) -> (Tensor scores,
    Tensor[] rows)``, with the tensors of ``state`` in their order.
    """

    name: str
    """``"namespace::operator"``, as it is registered with torch."""
    state: DecoderState = field(default_factory=DecoderState)


@dataclass(frozen=True)
class StartedProcessor:
    """A processor with the state of one batch; what the engine is given."""

    name: str
    apply: Apply | None  # None: the torch operator of this name
    state: DecoderState
    needs_scores: bool = True


def start(
    processors: Sequence[Processor | OperatorProcessor | Apply], memory: Memory | None, batch_size: int
) -> list[StartedProcessor]:
    """Start each for a batch; a bare callable is a processor without state."""
    return [_start(processor, memory, batch_size) for processor in processors]


def _start(
    processor: Processor | OperatorProcessor | Apply, memory: Memory | None, batch_size: int
) -> StartedProcessor:
    if isinstance(processor, OperatorProcessor):
        return StartedProcessor(processor.name, None, processor.state)
    if isinstance(processor, Processor):
        name = type(processor).__name__
        state = processor.init(memory, batch_size)
        if not isinstance(state, DecoderState):
            raise SearchError(f"processor {name!r}: init returned a {type(state).__name__}, expected a DecoderState")
        return StartedProcessor(name, processor.apply, state, processor.needs_scores)
    if callable(processor):
        return StartedProcessor(getattr(processor, "__name__", type(processor).__name__), processor, DecoderState())
    raise SearchError(f"processors has {processor!r}, expected a Processor or a callable")


class AllowedTokens(Processor):
    """Only the tokens that a Python function allows: ``allowed(sentence, tokens) -> ids``, asked for each hypothesis.

    ``sentence`` is the index in the batch, ``tokens`` what the hypothesis has written, BOS first. For a set of outputs
    known beforehand a :class:`~seq2seq_kit.decoding.inputs.Automaton` does the same in C++.
    """

    def __init__(self, allowed: Callable[[int, list[int]], Sequence[int]]) -> None:
        self.allowed = allowed

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        return DecoderState(sentences={"index": torch.arange(batch_size)})

    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> Tensor:
        assert scores is not None
        barred = torch.ones_like(scores, dtype=torch.bool)  # [B, K, V]
        for b, sentence in enumerate(state.sentences["index"].tolist()):
            for k, written in enumerate(tokens[b].tolist()):
                ids = list(self.allowed(sentence, written))
                if any(not 0 <= token < scores.shape[-1] for token in ids):
                    raise SearchError(
                        f"allowed tokens {ids} of sentence {sentence}: the step scores {scores.shape[-1]}"
                    )
                barred[b, k, ids] = False
        return scores.masked_fill(barred, -torch.inf)
