"""The measured work of the decoding benchmarks: the search of encoded batches, by the engine or by the plain loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.support.worker import clock

if TYPE_CHECKING:  # torch is for the measured processes
    from torch import Tensor

    from seq2seq_kit import SearchOptions
    from seq2seq_kit.interfaces import Decoder, Memory, Precision

KIT, REFERENCE, PLAIN = "kit", "kit, numerics reference", "plain PyTorch loop"
"""The first two by the decoder's Python step."""
TUTORIAL = "plain PyTorch loop, plain modules"
NATIVE: dict[str, Precision] = {"kit native fp32": "fp32", "kit native bf16": "bf16", "kit native int8": "int8"}
"""By the engine's own stepper."""


class Searching:
    """One system's search of some batches, from the encoded batch on: a :class:`benchmarks.support.worker.Job`.

    Args:
        system: ``KIT``, ``REFERENCE``, ``PLAIN``, ``TUTORIAL`` or one of ``NATIVE``.
        batches: for each the encoder's memory and the source lengths [B].
    """

    def __init__(
        self, system: str, decoder: Decoder, batches: Sequence[tuple[Memory, Tensor]], options: SearchOptions
    ) -> None:
        self.system, self.decoder, self.batches = system, decoder, batches
        self.options = replace(options, numerics="reference" if system == REFERENCE else "fast")
        self.parts = {} if system in NATIVE else {"step": 0.0}
        if system == TUTORIAL:
            from benchmarks.plain_step import PlainLSTM

            self.decoder = PlainLSTM(decoder)  # type: ignore[assignment]

    def output(self) -> list[list[int]]:
        import torch

        with torch.inference_mode():
            return [tokens for memory, lengths in self.batches for tokens in self._search(memory, lengths)]

    def run(self) -> int:
        return sum(map(len, self.output()))

    def _search(self, memory: Memory, lengths: Tensor) -> list[list[int]]:
        """The tokens of each sentence's best hypothesis, EOS included."""
        from benchmarks import plain_loop
        from seq2seq_kit import search

        if self.system in NATIVE:
            native = self.decoder.native(NATIVE[self.system])
            assert native is not None
            step = native.begin(memory, len(lengths))
            return [nbest[0].tokens for nbest in search(step, options=self.options, source_lengths=lengths)]
        state = self.decoder.init_state(memory, len(lengths))
        if self.system in (PLAIN, TUTORIAL):
            loop = plain_loop.greedy if self.options.beam_size == 1 else plain_loop.beam
            return [tokens for tokens, _ in loop(self._step, state, len(lengths), self.options, lengths)]
        return [nbest[0].tokens for nbest in search(self._step, state, self.options, source_lengths=lengths)]

    def _step(self, tokens: Tensor, position: Tensor, state: Any) -> Any:
        start = clock()
        output = self.decoder.step(tokens, position, state)
        self.parts["step"] += clock() - start
        return output


def same_outputs(outputs: dict[tuple[str, str], list[Any]], case: str, systems: Sequence[str]) -> str:
    """How many of a case's outputs are the same for all systems."""
    same = [
        all(o == first for o in others) for first, *others in zip(*(outputs[case, s] for s in systems), strict=True)
    ]
    return f"{sum(same)} of {len(same)}"
