"""Minimum-Bayes-risk selection: of several candidates, the one that the others agree with most.

Kumar and Byrne (2004); with samples as candidates and as evidence at once, Eikema and Aziz (2020).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from seq2seq_kit.config import ComponentConfig, validate
from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Metric, Output
from seq2seq_kit.registry import build, registry

Utility = Callable[[str, str], float]
"""``utility(candidate, other)``: how well the candidate would do if the other were the reference; higher is better."""


def utility(name: str) -> Utility:
    """``"chrf"`` or ``"bleu"``, sentence by sentence, by sacreBLEU (BLEU with smoothing and effective order); or any
    other metric by its name, a plugin's among them, with its defaults.

    Raises:
        PluginError: there is no such metric.
        ConfigError: it has no defaults.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    scorers: dict[str, Callable[[], BLEU | CHRF]] = {"chrf": CHRF, "bleu": partial(BLEU, effective_order=True)}
    if name in scorers:
        scorer = scorers[name]()
        return lambda candidate, other: float(scorer.sentence_score(candidate, [other]).score)
    config_class = registry().find("metric", name).component.load_config() or ComponentConfig
    metric: Metric = build("metric", validate(config_class, {"name": name}, f"metric {name!r}"))
    sign = 1 if metric.higher_is_better else -1
    return lambda candidate, other: sign * metric([candidate], [[other]])


def expected_utilities(
    candidates: Sequence[str],
    utility: Utility,
    *,
    log_probs: Sequence[float] | None = None,
) -> list[float]:
    """The mean utility of each candidate against all others; one candidate alone has 0.

    Args:
        candidates: texts, drawn from the model or an n-best list; one drawn twice counts twice.
        log_probs: weigh the others by these probabilities (for an n-best list); None: evenly (for samples).
    """
    if log_probs is not None and len(log_probs) != len(candidates):
        raise UserError(f"there are {len(candidates)} candidates, but {len(log_probs)} log-probabilities")
    weights = [1.0] * len(candidates)
    if log_probs:
        greatest = max(log_probs)
        weights = [math.exp(log_prob - greatest) for log_prob in log_probs]
    known: dict[tuple[str, str], float] = {}
    expected = []
    for i, candidate in enumerate(candidates):
        total = mass = 0.0
        for j, other in enumerate(candidates):
            if i == j:
                continue
            if (candidate, other) not in known:
                known[candidate, other] = utility(candidate, other)
            total += weights[j] * known[candidate, other]
            mass += weights[j]
        expected.append(total / mass if mass else 0.0)
    return expected


def select(candidates: Sequence[str], utility: Utility, *, log_probs: Sequence[float] | None = None) -> int:
    """The index of the candidate of greatest expected utility; among equals, the first."""
    if not candidates:
        raise UserError("there is no candidate to select from")
    expected = expected_utilities(candidates, utility, log_probs=log_probs)
    return max(range(len(candidates)), key=lambda i: (expected[i], -i))


def reorder(output: Output, utility: Utility, n_best: int, *, evenly: bool) -> Output:
    """The ``n_best`` of an output and its alternatives by expected utility, best first; scores stay the model's.

    Args:
        evenly: weigh all alike (samples); else by their probabilities (an n-best list).
    """
    candidates = [output, *output.alternatives]
    log_probs = None if evenly else [sum(candidate.token_scores) for candidate in candidates]
    expected = expected_utilities([candidate.text for candidate in candidates], utility, log_probs=log_probs)
    order = sorted(range(len(candidates)), key=lambda i: -expected[i])[:n_best]
    best, *others = (replace(candidates[i], alternatives=[]) for i in order)
    return replace(best, alternatives=others)
