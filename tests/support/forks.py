"""Processes forked from a server that has imported torch and the kit and has done nothing else: each behaves as a fresh
one, and none pays for the imports."""

from __future__ import annotations

import multiprocessing

forks = multiprocessing.get_context("forkserver")
# There is one server a process, and the list of the first one who starts it counts: all that tests fork is here.
forks.set_forkserver_preload(
    [
        "accelerate",
        "matplotlib.backends.backend_agg",
        "matplotlib.figure",
        "pyarrow",
        "sacrebleu",
        "seq2seq_kit.cli",
        "seq2seq_kit.evaluation.evaluate",
        "seq2seq_kit.training.runs",
        "tokenizers",
        "torch._dynamo",  # which the first optimizer loads
    ]
)
