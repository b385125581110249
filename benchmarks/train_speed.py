"""How fast does the trainer train, beside Hugging Face, JoeyNMT, OpenNMT-py and a plain PyTorch loop?

Transformer of width 256 with 3 + 3 layers, vocabulary 8,000, one tied matrix; LSTM 2 + 2 x 512 with Luong attention.
Updates of at most 4,160 target tokens of Multi30k, the same batches for all, sorted so that little is padding. Ours is
the trainer's own update; the others' models are in one plain loop with fused AdamW. Every process has the allocator
settings that ``s2s train`` makes, but the system named for it, which has glibc's own. ``medium`` is
``torch.set_float32_matmul_precision("medium")``, for all. How the losses run: ``train_losses``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from benchmarks.parity_hf import REQUIREMENTS
from benchmarks.support import results
from benchmarks.support.environments import environment
from benchmarks.support.harness import Measured, Options, measure
from benchmarks.support.worker import Job, serve

if TYPE_CHECKING:
    from seq2seq_kit.interfaces import Batch

KIT, HF, HF_DEFAULT = "kit", "Hugging Face", "Hugging Face, glibc's allocator settings"
JOEY, OPENNMT, PLAIN = "JoeyNMT", "OpenNMT-py", "plain PyTorch loop"
PRECISIONS = ("float32", "float32, products medium", "bfloat16")
TRANSFORMER, LSTM = (tuple(f"{family}, {precision}" for precision in PRECISIONS) for family in ("Transformer", "LSTM"))
PEERS = ["--no-deps", "joeynmt==2.3.0", "OpenNMT-py==3.5.1", "importlib_metadata==6.8.0", "zipp==3.17.0"]
PEERS += ["configargparse==1.7", "sentencepiece==0.2.0", "subword-nmt==0.3.8", "six==1.16.0"]
TOKENS, BATCHES, DROPOUT = 4160, 4, 0.1


def run(options: Options) -> results.Result:
    """Measure all cases."""
    commands = systems()
    of_transformer = measure({s: c for s, c in commands.items() if s != PLAIN}, TRANSFORMER, "target tokens", options)
    of_lstm = measure({s: commands[s] for s in (KIT, PLAIN)}, LSTM, "target tokens", options)
    rows = of_transformer.rows + of_lstm.rows
    rivals = {case: [HF, HF_DEFAULT, JOEY, OPENNMT] for case in TRANSFORMER} | {case: [PLAIN] for case in LSTM}
    return results.Result(
        name="train_speed",
        date=results.today(),
        machine=results.machine(),
        versions=of_transformer.versions | of_lstm.versions,
        settings={
            "Transformer": "width 256, 3 + 3 layers, 4 heads, feed-forward 1,024, vocabulary 8,000, one embedding "
            f"matrix, dropout {DROPOUT}; post-norm (OpenNMT-py, which has no other: pre-norm)",
            "LSTM": f"2 + 2 layers x 512, Luong attention (general), vocabulary 8,000, dropout {DROPOUT}",
            "work": f"updates of at most {TOKENS:,} target tokens of Multi30k en-de: {BATCHES} batches in turn",
            "optimizer": "AdamW, fused; gradient norm clipped to 1",
            **of_transformer.settings,
            "other load, LSTM": of_lstm.settings["other load"],
            "where our time goes": _shares(of_transformer),
        },
        rows=rows,
        ratios=[results.ratio(rows, case, KIT, theirs) for case, names in rivals.items() for theirs in names],
    )


def systems() -> dict[str, list[str]]:
    """The commands of the systems, in an environment of its own where one is a package."""
    hugging_face = str(environment("transformers-4.55", REQUIREMENTS, ours=True))
    peers = str(environment("train-peers", PEERS, ours=True))
    pythons = {KIT: sys.executable, HF: hugging_face, HF_DEFAULT: hugging_face, JOEY: peers, OPENNMT: peers}
    return {
        name: [python, "-m", "benchmarks.train_speed", name]
        for name, python in (pythons | {PLAIN: sys.executable}).items()
    }


def _shares(measured: Measured) -> dict[str, dict[str, str]]:
    """Where the time of our updates goes, by the profiler, for each case: kernels that take at least one percent."""
    return {case: dict(measured.outputs[case, KIT]) for case in TRANSFORMER}


class Training:
    """Updates of one system, one batch after the other."""

    parts: dict[str, float] = {}

    def __init__(self, update: Callable[[Batch, float], float], batches: list[Batch], profiled: bool) -> None:
        self._update = update
        self._batches = batches
        self._profiled = profiled

    def run(self) -> int:
        """One update with each batch; the number of target tokens."""
        for batch in self._batches:
            self._update(batch, 1e-4)
        return sum(int(batch.target_mask.sum()) for batch in self._batches if batch.target_mask is not None)

    def output(self) -> list[Any]:
        """The shares of the kernels, [name, share]; nothing for others than us, which have losses, not outputs."""
        if not self._profiled:
            return []
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            self.run()
        kernels = sorted(profiler.key_averages(), key=lambda kernel: -kernel.self_cpu_time_total)
        total = sum(kernel.self_cpu_time_total for kernel in kernels)
        shares = [(kernel.key, kernel.self_cpu_time_total / total) for kernel in kernels]
        return [[name, f"{share:.1%}"] for name, share in shares if share >= 0.01]


def prepare(system: str, case: str) -> Job:
    """One case of one system."""
    batches = _batches()
    spread = [batches[round((i + 0.5) * len(batches) / BATCHES)] for i in range(BATCHES)]
    return Training(make_update(system, case, DROPOUT), spread, profiled=system == KIT)


def make_update(system: str, case: str, dropout: float, seed: int = 1) -> Callable[[Batch, float], float]:
    """A new model and its loop: ``update(batch, learning rate)`` gives the mean loss before the update."""
    import torch

    from benchmarks.support import training_kit, training_peers
    from seq2seq_kit.training.allocator import keep_memory

    if system != HF_DEFAULT:
        keep_memory()
    torch.manual_seed(seed)
    family, _, precision = case.partition(", ")
    if system == KIT:
        return training_kit.OurLoop(training_kit.model(family, dropout), precision).update
    makers = {
        HF: training_peers.hugging_face,
        HF_DEFAULT: training_peers.hugging_face,
        JOEY: training_peers.joeynmt,
        OPENNMT: training_peers.opennmt,
        PLAIN: training_peers.plain_lstm,
    }
    module, loss = makers[system](dropout)
    return training_peers.PlainLoop(module, loss, precision).update


@cache
def _batches() -> list[Batch]:
    """The batches of an epoch, by length."""
    from benchmarks.support.training_batches import encoded, epoch

    return sorted(epoch(encoded(), TOKENS, 0), key=lambda batch: batch.source.shape[1])


if __name__ == "__main__":
    packages = {HF: ["transformers"], HF_DEFAULT: ["transformers"], JOEY: ["joeynmt"], OPENNMT: ["OpenNMT-py"]}
    serve(prepare, ["torch", "seq2seq_kit", *packages.get(sys.argv[1], [])])
