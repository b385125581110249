"""Is decoding by the engine, with a plain Python step or its own stepper, faster than a plain PyTorch loop?

LSTM, 2 + 2 layers of 512, Luong attention (general), vocabulary 8,000. The rival is ``plain_loop.py``, around our
decoder's Python step, whose weights are laid out once for the kernels, and around ``plain_step.py``, the same model in
torch's own modules. Timed is the search from an encoded batch on, the projection of the keys included and the encoder,
the same call for all, left out. The tokens counted are those of the best hypotheses, EOS included. Outputs of bf16 and
int8 may differ.

Two kinds of batch. *Equal*: 20 source tokens, outputs forced to 30 tokens and EOS, so that both call the same steps,
and only what is outside of them can differ. *Mixed*: 10 to 30 source tokens and outputs of 1.5 times as many; there the
engine drops a sentence when it is done, and the plain loop carries it on. Lengths differ more here than in batches that
were sorted by length, as ``s2s translate`` sorts them: ``decode_translation`` measures those.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from benchmarks.support import results
from benchmarks.support.harness import Options, measure
from benchmarks.support.searching import KIT, NATIVE, PLAIN, REFERENCE, TUTORIAL, same_outputs
from benchmarks.support.worker import Job, serve

SYSTEMS = (KIT, REFERENCE, *NATIVE, PLAIN, TUTORIAL)
EXACT = [system for system in SYSTEMS if NATIVE.get(system, "fp32") == "fp32"]
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
    measured = measure(dict.fromkeys(SYSTEMS, command), list(CASES), "tokens", options)
    settings = {
        "model": "LSTM 2 + 2 layers x 512, Luong attention (general), vocabulary 8,000, random weights",
        "work": f"source {SOURCE_LENGTH} tokens, output {OUTPUT_LENGTH} tokens + EOS, encoder not timed; mixed: source "
        f"{SOURCE_LENGTH // 2} to {SOURCE_LENGTH * 3 // 2}, output 1.5 times as many",
        **measured.settings,
        "same output in fp32": {case: same_outputs(measured.outputs, case, EXACT) for case in CASES},
    }
    return results.Result(
        name="decode_recurrent",
        date=results.today(),
        machine=results.machine(),
        versions=measured.versions,
        settings=settings,
        rows=measured.rows,
        ratios=[
            results.ratio(measured.rows, case, ours, theirs)
            for case in CASES
            for ours in (KIT, REFERENCE, *NATIVE)
            for theirs in (PLAIN, TUTORIAL)
        ],
    )


def prepare(system: str, case: str) -> Job:
    """One case of one system."""
    from benchmarks.support.searching import Searching
    from seq2seq_kit import SearchOptions

    beam_size, batch_size, mixed = CASES[case]
    decoder, memory, lengths = _encoded(batch_size, mixed)
    options = SearchOptions(  # the lower bound is above every limit, so that only the limit ends a sentence
        beam_size=beam_size,
        min_length=3 * OUTPUT_LENGTH,
        max_length=3 * OUTPUT_LENGTH,
        max_length_ratio=OUTPUT_LENGTH / SOURCE_LENGTH,
        max_length_margin=0,
    )
    return Searching(system, decoder, [(memory, lengths)], options)


@cache
def _encoded(batch_size: int, mixed: bool) -> tuple[Any, Any, Any]:
    """The decoder, a batch's memory and its source lengths [B]."""
    import torch

    from seq2seq_kit.interfaces import Batch

    decoder, encoder = random_model(MODEL, VOCABULARY)
    lengths = torch.full((batch_size,), SOURCE_LENGTH)
    if mixed:
        lengths = torch.randint(SOURCE_LENGTH // 2, SOURCE_LENGTH * 3 // 2 + 1, (batch_size,))
    source = torch.randint(4, VOCABULARY, (batch_size, int(lengths.max())))
    with torch.inference_mode():
        return decoder, encoder(Batch(source, torch.arange(source.shape[1]) < lengths.unsqueeze(1))), lengths


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
    serve(prepare, ["torch", "seq2seq_kit"])
