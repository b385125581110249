"""How much faster is the engine than a plain PyTorch loop when a trained model translates real sentences?

The model of ``decode_recurrent`` (LSTM, 2 + 2 layers of 512, Luong attention, vocabulary 8,000), trained on Multi30k
English to German (``configs/decode_translation.yaml``; ``--run`` takes an earlier run folder), with a plain Python
step. Sentences end where the model ends them, and the batches are those of ``s2s translate``: the first 512 sentences
of ``test_2016_flickr`` sorted by length; every fourth batch of 32 is measured, and for batches of 1 every 32nd
sentence. The rival is ``plain_loop.py``, which searches all of a batch until the last slot of its last sentence is
done. Timed is the search from an encoded batch on; the tokens counted are those of the best hypotheses, EOS included.
"""

from __future__ import annotations

import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks.support import results, translation
from benchmarks.support.harness import Options, measure
from benchmarks.support.searching import KIT, PLAIN, Searching, same_outputs
from benchmarks.support.worker import serve

SYSTEMS = (KIT, PLAIN)
CASES = {  # beam size, sentences a batch
    "greedy, batch 1": (1, 1),
    "greedy, batch 32": (1, 32),
    "beam 5, batch 1": (5, 1),
    "beam 5, batch 32": (5, 32),
}
WINDOW = 512
SHARE = {1: 32, 32: 4}
"""One of how many batches is measured, by their size."""


def run(options: Options) -> results.Result:
    """Train, unless there is a run, and measure all cases."""
    folder = translation.trained("decode_translation", options)
    command = [sys.executable, "-m", "benchmarks.decode_translation", str(folder.resolve())]
    measured = measure(dict.fromkeys(SYSTEMS, command), list(CASES), "tokens", options)
    outputs = measured.outputs["beam 5, batch 32", KIT]
    settings = {
        "model": "LSTM 2 + 2 layers x 512, Luong attention (general), vocabulary 8,000, float32",
        **translation.of_the_run(folder),
        "work": f"{len(outputs)} sentences in batches of 32, {len(measured.outputs['beam 5, batch 1', KIT])} one by "
        f"one; outputs of {min(map(len, outputs))} to {max(map(len, outputs))} tokens, EOS included; encoder not timed",
        **measured.settings,
        "same output as the plain loop": {case: same_outputs(measured.outputs, case, SYSTEMS) for case in CASES},
    }
    return results.Result(
        name="decode_translation",
        date=results.today(),
        machine=results.machine(),
        versions=measured.versions,
        settings=settings,
        rows=measured.rows,
        ratios=[results.ratio(measured.rows, case, KIT, PLAIN) for case in CASES],
    )


def prepare(folder: Path, system: str, case: str) -> Searching:
    """One case of one system."""
    import torch

    beam_size, batch_size = CASES[case]
    pipeline, encoded = _sentences(folder)
    batches = []
    for start in range(0, len(encoded), batch_size * SHARE[batch_size]):
        batch = pipeline.task.collate(encoded[start : start + batch_size])
        with torch.inference_mode():
            batches.append((pipeline.model.encoder(batch), batch.source_mask.sum(1)))
    return Searching(system, pipeline.model.decoder, batches, pipeline.options(beam_size=beam_size))


@cache
def _sentences(folder: Path) -> tuple[Any, list[Any]]:
    """The trained model and the encoded sentences of a window, shortest first."""
    from seq2seq_kit import load
    from seq2seq_kit.interfaces import Example

    pipeline = load(folder)
    lines = (translation.DATA / "multi30k" / "test_2016_flickr.en").read_text(encoding="utf-8").splitlines()
    encoded = pipeline.task.encode([Example(line) for line in lines[:WINDOW]])
    return pipeline, sorted(encoded, key=lambda example: len(example.source))


if __name__ == "__main__":
    serve(partial(prepare, Path(sys.argv[1])), ["torch", "seq2seq_kit"])
