"""How fast does a character-level model write, one sentence at a time, beside Keras' tutorial loop and plain PyTorch?

The model of the first tutorials (Sutskever et al. 2014, ``examples/char_no_attention``): LSTM-256 without attention,
about 100 characters, greedy, batch 1. A sentence is read (20 characters) and 60 characters and EOS are written, so that
all do the same work; timed is all of it, encoder included. Keras' model has the same sizes and reads one-hot vectors,
as in its tutorial; weights are random.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.keras_loop import ALPHABET, OUTPUT_LENGTH, SOURCE_LENGTH
from benchmarks.support import results
from benchmarks.support.environments import environment
from benchmarks.support.harness import Options, measure
from benchmarks.support.worker import serve

KIT, PLAIN, KERAS = "kit", "plain PyTorch loop", "Keras tutorial loop"
CASE = "greedy, batch 1"
KERAS_REQUIREMENTS = ["keras==3.15.*", "tensorflow-cpu==2.21.*"]
MODEL = {
    "encoder": {"name": "lstm", "embedding_size": 256, "size": 256},
    "decoder": {"name": "lstm", "embedding_size": 256, "size": 256, "attention": "none"},
}


def run(options: Options) -> results.Result:
    """Measure the three."""
    ours = [sys.executable, "-m", "benchmarks.decode_characters"]
    keras = [str(environment("keras", KERAS_REQUIREMENTS)), "-m", "benchmarks.keras_loop"]
    measured = measure({KIT: ours, PLAIN: ours, KERAS: keras}, [CASE], "characters", options)
    settings = {
        "model": f"LSTM 256 + 256, no attention, {ALPHABET} characters, random weights, float32",
        "work": f"source {SOURCE_LENGTH} characters, output {OUTPUT_LENGTH} characters + EOS, encoder timed too",
        **measured.settings,
        "kit and plain loop write the same": measured.outputs[CASE, KIT] == measured.outputs[CASE, PLAIN],
    }
    return results.Result(
        name="decode_characters",
        date=results.today(),
        machine=results.machine(),
        versions=measured.versions,
        settings=settings,
        rows=measured.rows,
        ratios=[results.ratio(measured.rows, CASE, KIT, theirs) for theirs in (PLAIN, KERAS)],
    )


class Writing:
    """The kit's engine, or the plain loop, with one source sentence."""

    def __init__(self, system: str) -> None:
        import torch

        from benchmarks import plain_loop
        from benchmarks.decode_recurrent import random_model
        from seq2seq_kit import SearchOptions, search
        from seq2seq_kit.interfaces import Batch

        self.parts: dict[str, float] = {}
        self.decoder, self.encoder = random_model(MODEL, ALPHABET)
        source = torch.randint(4, ALPHABET, (1, SOURCE_LENGTH))
        self.batch = Batch(source, torch.ones_like(source, dtype=torch.bool))
        options = SearchOptions(beam_size=1, min_length=OUTPUT_LENGTH, max_length=OUTPUT_LENGTH)
        if system == PLAIN:
            self.search = lambda state: plain_loop.greedy(self.decoder.step, state, 1, options)[0][0]
        else:
            self.search = lambda state: search(self.decoder.step, state, options)[0][0].tokens

    def output(self) -> list[Any]:
        import torch

        with torch.inference_mode():
            return self.search(self.decoder.init_state(self.encoder(self.batch), 1))

    def run(self) -> int:
        return len(self.output())


if __name__ == "__main__":
    serve(lambda system, _case: Writing(system), ["torch", "seq2seq_kit"])
