"""What does it give to compile a plugin's Python step, as ``s2s compile`` does?

The convolutional decoder of ``plugins/seq2seq-kit-conv``, 4 layers x 256, vocabulary 8,000 (and 500, where the output
layer is small): its Python step, and the same step compiled by AOTInductor. Sources of 20 positions, outputs of exactly
30 tokens. Timed is the search from an encoded batch on; how long compiling takes is printed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.support import results
from benchmarks.support.harness import ROOT, Options, measure
from benchmarks.support.worker import Job, serve

PYTHON, COMPILED = "kit, Python step", "kit, compiled step"
CASES = {  # vocabulary, beam size, sentences
    f"{'greedy' if beams == 1 else f'beam {beams}'}, batch {batch}, V {vocabulary:,}": (vocabulary, beams, batch)
    for vocabulary in (8000, 500)
    for batch in (1, 32)
    for beams in (1, 5)
}
SIZE, SOURCE_LENGTH, OUTPUT_LENGTH = 256, 20, 30


def run(options: Options) -> results.Result:
    """Measure all cases."""
    command = [sys.executable, "-m", "benchmarks.decode_compiled"]
    cases = [case for case in CASES if options.wants(case)]
    measured = measure(dict.fromkeys((PYTHON, COMPILED), command), cases, "tokens", options)
    pairs = {case: [measured.outputs[case, system] for system in (PYTHON, COMPILED)] for case in cases}
    settings = {
        "model": f"convolutional decoder, 4 layers x {SIZE}, attention in each, random weights, float32",
        "work": f"source {SOURCE_LENGTH} positions, output {OUTPUT_LENGTH} tokens, encoder and compilation not timed",
        **measured.settings,
        "same output": {
            case: f"{sum(a == b for a, b in zip(*pair, strict=True))} of {len(pair[0])}" for case, pair in pairs.items()
        },
    }
    return results.Result(
        name="decode_compiled",
        date=results.today(),
        machine=results.machine(),
        versions=measured.versions,
        settings=settings,
        rows=measured.rows,
        ratios=[results.ratio(measured.rows, case, COMPILED, PYTHON) for case in cases],
    )


class Searching:
    """One system's search of a batch, from the memory on."""

    parts: dict[str, float] = {}

    def __init__(self, system: str, case: str) -> None:
        from seq2seq_kit import SearchOptions

        vocabulary, beams, self.batch = CASES[case]
        self.decoder, compiled = _decoders(vocabulary)
        self.compiled = compiled if system == COMPILED else None
        self.memory = _memory(self.batch, SOURCE_LENGTH)
        self.options = SearchOptions(beam_size=beams, min_length=OUTPUT_LENGTH, max_length=OUTPUT_LENGTH)

    def output(self) -> list[list[int]]:
        import torch

        from seq2seq_kit import search

        with torch.inference_mode():
            state = self.decoder.init_state(self.memory, self.batch)
            if self.compiled is None:
                found = search(self.decoder.step, state, self.options)
            else:
                found = search(self.compiled.begin(state), options=self.options, batch_size=self.batch)
        return [sentence[0].tokens for sentence in found]

    def run(self) -> int:
        return sum(map(len, self.output()))


@cache
def _decoders(vocabulary: int) -> tuple[Any, Any]:
    """The decoder, and its step compiled."""
    import torch

    sys.path.insert(0, str(ROOT / "plugins" / "seq2seq-kit-conv" / "src"))
    from seq2seq_kit_conv.decoder import ConvDecoder, ConvDecoderConfig

    from seq2seq_kit import MemorySpec, TargetSpec
    from seq2seq_kit._engine._native import CompiledStep
    from seq2seq_kit.decoding.compile_step import compile_step

    torch.manual_seed(1)
    target = TargetSpec(vocab_size=vocabulary)
    decoder = ConvDecoder(ConvDecoderConfig(embedding_size=SIZE, size=SIZE), target, MemorySpec(SIZE)).eval()
    began = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "step.pt2"
        compile_step(decoder, _memory, target, package)
        seconds = time.perf_counter() - began[0], time.process_time() - began[1]
        print(f"compiled in {seconds[0]:.0f} s, {seconds[1]:.0f} s of them of this process", file=sys.stderr)
        return decoder, CompiledStep(str(package), decoder.score_kind, 1)


def _memory(batch: int, length: int) -> Any:
    """Random states of ``batch`` sources of ``length`` positions."""
    import torch

    from seq2seq_kit import Memory

    generator = torch.Generator().manual_seed(batch)
    return Memory(torch.randn(batch, length, SIZE, generator=generator), torch.ones(batch, length, dtype=torch.bool))


def prepare(system: str, case: str) -> Job:
    """One case of one system."""
    return Searching(system, case)


if __name__ == "__main__":
    serve(prepare, ["torch", "seq2seq_kit"])
