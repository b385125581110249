"""Several runs on one test set, side by side: is the difference more than chance?"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

SAMPLES = 1000
"""Resamples of the test set."""


@dataclass(frozen=True)
class Paired:
    """The score of one run, compared with the first one's."""

    score: float
    mean: float
    """Over the resamples."""
    half_width: float
    """Of the 95% confidence interval around ``mean``."""
    p_value: float | None
    """How often a difference like that to the first run's would come by chance; None for the first run itself."""


def compare(
    outputs: Mapping[str, Sequence[str]], references: Sequence[Sequence[str]], samples: int = SAMPLES
) -> tuple[dict[str, dict[str, Paired]], dict[str, str]]:
    """BLEU, chrF and TER of several systems, with paired bootstrap resampling (Koehn 2004) by sacreBLEU.

    Args:
        outputs: by the names of the systems, at least two; the others are compared with the first.
        references: one or more of each output.

    Returns:
        For each metric the score of each system, and the signature of each metric.
    """
    from sacrebleu.significance import PairedTest

    streams = [list(stream) for stream in zip_longest(*references)]
    metrics: dict[str, Any] = {"BLEU": BLEU(references=streams), "chrF": CHRF(references=streams)}
    metrics["TER"] = TER(references=streams)
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)  # it would tell each of its steps
    test = PairedTest(list(outputs.items()), metrics, references=None, test_type="bs", n_samples=samples)
    signatures, scores = test()
    systems = scores.pop("System")
    found = {
        metric: {str(system): _paired(one, results[0]) for system, one in zip(systems, results, strict=True)}
        for metric, results in scores.items()
    }
    return found, {name: str(signature) for name, signature in signatures.items()}


def _paired(one: Any, first: Any) -> Paired:
    p_value = None if one is first else float(one.p_value)
    if one is not first and one.score == first.score:
        p_value = 1.0  # sacreBLEU takes no difference at all for a certain one
    return Paired(float(one.score), float(one.mean), float(one.ci), p_value)
