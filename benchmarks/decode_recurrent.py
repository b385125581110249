"""Is decoding by the engine, with a plain Python step, faster than a plain PyTorch loop around the same step?

LSTM, 2 + 2 layers of 512, Luong attention (general), vocabulary 8,000. The rival is ``plain_loop.py``. Timed is the
search from an encoded batch on, the projection of the keys included and the encoder, the same call for both, left out.
The tokens counted are those of the best hypotheses, EOS included.

Two kinds of batch. *Equal*: 20 source tokens, outputs forced to 30 tokens and EOS, so that both call the same steps,
and only what is outside of them can differ. *Mixed*: 10 to 30 source tokens and outputs of 1.5 times as many; there the
engine drops a sentence when it is done, and the plain loop carries it on. Lengths differ more here than in batches that
were sorted by length, as ``s2s translate`` sorts them, so for those the ratio lies between the two kinds.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.support import results
from benchmarks.support.harness import Options, measure
from benchmarks.support.worker import clock, serve

KIT, REFERENCE, PLAIN = "kit", "kit, numerics reference", "plain PyTorch loop"
CASES = {  # beam size, sentences, mixed lengths
    "greedy, batch 1": (1, 1, False),
    "greedy, batch 32": (1, 32, False),
    "beam 5, batch 1": (5, 1, False),
    "beam 5, batch 32": (5, 32, False),
    "greedy, batch 32, mixed": (1, 32, True),
    "beam 5, batch 32, mixed": (5, 32, True),
}
VOCABULARY, SOURCE_LENGTH, OUTPUT_LENGTH = 8000, 20, 30
MODEL = {
    "encoder": {"name": "lstm", "embedding_size": 512, "size": 512, "layers": 2},
    "decoder": {"name": "lstm", "embedding_size": 512, "size": 512, "layers": 2, "attention": "luong"},
}


def run(options: Options) -> results.Result:
    """Measure all cases."""
    command = [sys.executable, "-m", "benchmarks.decode_recurrent"]
    measured = measure({s: [*command, s] for s in (KIT, REFERENCE, PLAIN)}, list(CASES), "tokens", options)
    settings = {
        "model": "LSTM 2 + 2 layers x 512, Luong attention (general), vocabulary 8,000, random weights, float32",
        "work": f"source {SOURCE_LENGTH} tokens, output {OUTPUT_LENGTH} tokens + EOS, encoder not timed; mixed: source "
        f"{SOURCE_LENGTH // 2} to {SOURCE_LENGTH * 3 // 2}, output 1.5 times as many",
        **measured.settings,
        "same output as the plain loop": {case: _same(measured.outputs, case) for case in CASES},
    }
    return results.Result(
        name="decode_recurrent",
        date=results.today(),
        machine=results.machine(),
        versions=measured.versions,
        settings=settings,
        rows=measured.rows,
        ratios=[results.ratio(measured.rows, case, ours, PLAIN) for case in CASES for ours in (KIT, REFERENCE)],
    )


def _same(outputs: dict[tuple[str, str], list[Any]], case: str) -> str:
    same = [a == b == c for a, b, c in zip(*(outputs[case, s] for s in (KIT, REFERENCE, PLAIN)), strict=True)]
    return f"{sum(same)} of {len(same)}"


class Decoding:
    """One case of one system."""

    def __init__(self, system: str, case: str) -> None:
        import torch

        from benchmarks import plain_loop
        from seq2seq_kit import SearchOptions, search
        from seq2seq_kit.interfaces import Batch

        beam_size, self.batch_size, mixed = CASES[case]
        self.parts = {"step": 0.0}
        self.decoder, memory = random_model(MODEL, VOCABULARY)
        lengths = torch.full((self.batch_size,), SOURCE_LENGTH)
        if mixed:
            lengths = torch.randint(SOURCE_LENGTH // 2, SOURCE_LENGTH * 3 // 2 + 1, (self.batch_size,))
        source = torch.randint(4, VOCABULARY, (self.batch_size, int(lengths.max())))
        with torch.inference_mode():
            self.memory = memory(Batch(source, torch.arange(source.shape[1]) < lengths.unsqueeze(1)))
        options = SearchOptions(  # the lower bound is above every limit, so that only the limit ends a sentence
            beam_size=beam_size,
            min_length=3 * OUTPUT_LENGTH,
            max_length=3 * OUTPUT_LENGTH,
            max_length_ratio=OUTPUT_LENGTH / SOURCE_LENGTH,
            max_length_margin=0,
            numerics="reference" if system == REFERENCE else "fast",
        )
        if system == PLAIN:
            loop = plain_loop.greedy if beam_size == 1 else plain_loop.beam
            self.search = lambda state: [t for t, _ in loop(self.step, state, self.batch_size, options, lengths)]
        else:
            self.search = lambda state: [
                nbest[0].tokens for nbest in search(self.step, state, options, source_lengths=lengths)
            ]

    def step(self, tokens: Any, position: Any, state: Any) -> Any:
        start = clock()
        output = self.decoder.step(tokens, position, state)
        self.parts["step"] += clock() - start
        return output

    def output(self) -> list[list[int]]:
        import torch

        with torch.inference_mode():
            return self.search(self.decoder.init_state(self.memory, self.batch_size))

    def run(self) -> int:
        return sum(map(len, self.output()))


def random_model(sections: dict[str, Any], vocabulary: int) -> tuple[Any, Any]:
    """A decoder and an encoder with the same random weights in every process."""
    import torch

    from seq2seq_kit.interfaces import SourceSpec, TargetSpec
    from seq2seq_kit.model import build_model
    from seq2seq_kit.run_config import ModelConfig

    torch.manual_seed(1)
    config = ModelConfig.model_validate(sections)
    model = build_model(config, SourceSpec(vocabulary), TargetSpec(vocabulary)).eval()
    decoder: Any = model.decoder
    with torch.no_grad():  # as sure of itself as a trained model: fresh weights give near-ties, which rounding decides
        decoder.output_layer.weight.mul_(50)
    return decoder, model.encoder


if __name__ == "__main__":
    serve(lambda case: Decoding(sys.argv[1], case), ["torch", "seq2seq_kit"])
