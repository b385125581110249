"""How good does English to French get on Multi30k with a Transformer of 2.6 million parameters?

As ``transformer_german`` in all else, the configuration included.
"""

from __future__ import annotations

from benchmarks import transformer_german
from benchmarks.support import results
from benchmarks.support.harness import Options


def run(options: Options) -> results.Result:
    """Train and score English to French."""
    return transformer_german.run_pair("transformer_french", "fr", options)
