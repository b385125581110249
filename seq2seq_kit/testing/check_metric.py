"""Does a metric keep what :class:`seq2seq_kit.Metric` promises: one number for a corpus, and better ones for better
outputs?"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Metric
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, NotChecked, Report
from seq2seq_kit.testing.texts import TEXTS

_TOLERANCE = 1e-6
"""Scores that differ by up to this times the greater of them (at least 1) differ by rounding."""


@dataclass(frozen=True)
class _Probe:
    """A metric, and correct outputs, no two of them alike."""

    metric: Metric
    right: Sequence[str]

    @property
    def wrong(self) -> list[str]:
        """To each, what another one should be."""
        return [*self.right[1:], self.right[0]]

    @property
    def half(self) -> list[str]:
        """Every second one is wrong."""
        return [pair[i % 2] for i, pair in enumerate(self._pairs())]

    @property
    def references(self) -> list[list[str]]:
        """One or two for each."""
        return [[right, f"{right} {wrong}"][: 1 + i % 2] for i, (right, wrong) in enumerate(self._pairs())]

    def _pairs(self) -> list[tuple[str, str]]:
        """The correct and the wrong output of each."""
        return list(zip(self.right, self.wrong, strict=True))

    def score(self, outputs: Sequence[str], references: Sequence[Sequence[str]] | None = None) -> float:
        return self.metric(outputs, self.references if references is None else references)


def check_metric(metric: Metric, texts: Sequence[str] = TEXTS, *, skip: Collection[str] = ()) -> Report:
    """Check the contract of a metric.

    ::

        def test_my_metric_keeps_the_contract():
            check_metric(MyMetric(MyConfig()))

    Args:
        texts: three or more correct outputs, no two of them alike; default: a few short sentences. Where outputs of
            the metric's task look otherwise (phonemes, numbers), give such.
        skip: names of checks to leave out.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable.
    """
    if not isinstance(metric, Metric):
        raise UserError(f"check_metric is given a {type(metric).__name__}; it checks a seq2seq_kit.Metric")
    if isinstance(texts, str) or len(set(texts)) < max(3, len(texts)):
        raise UserError("texts must be three or more, no two of them alike")
    refuse_unknown(skip, METRIC_CHECKS)
    return run_checks(type(metric).__name__, METRIC_CHECKS, _Probe(metric, list(texts)), skip)


def _check_number(probe: _Probe) -> None:
    one = probe.references[:1]
    for what, outputs, references in (
        ("correct outputs", probe.right, None),
        ("wrong outputs", probe.wrong, None),
        ("empty outputs", [""] * len(probe.right), None),
        ("a single output", probe.right[:1], one),
        ("a single empty output", [""], one),
    ):
        value = probe.score(outputs, references)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise Fault(f"the score of {what} is {value!r}, a {type(value).__name__}; it must be a float")
        if not math.isfinite(value):
            raise Fault(f"the score of {what} is {value}; every corpus of one output or more must have a finite one")


def _check_direction(probe: _Probe) -> None:
    references = [[text] for text in probe.right]
    right, half, wrong = (probe.score(outputs, references) for outputs in (probe.right, probe.half, probe.wrong))
    sign = 1 if probe.metric.higher_is_better else -1
    if _same(right, wrong):
        raise NotChecked("correct and wrong outputs score alike: it does not look at references")
    if sign * (right - wrong) < 0:
        said, other = ("True", "False") if probe.metric.higher_is_better else ("False", "True")
        raise Fault(
            f"correct outputs score {right:g} and wrong ones {wrong:g}, but higher_is_better is {said}: the worst "
            f"checkpoint would be kept as the best; set it to {other}"
        )
    if sign * (half - wrong) < 0 or sign * (right - half) < 0:
        raise Fault(
            f"outputs score {right:g} if all are correct, {half:g} if half of them are, and {wrong:g} if none is; more "
            "correct ones must not score worse"
        )


def _check_kept(probe: _Probe) -> None:
    """Nothing is kept between calls, and nothing is drawn."""
    first = probe.score(probe.half)
    probe.score(probe.wrong)
    again = probe.score(probe.half)
    if again != first:
        raise Fault(
            f"the same outputs score {first:g}, and {again:g} after others were scored: a call is a corpus of its own, "
            "so that nothing may be kept between calls, and nothing drawn"
        )


def _check_in_place(probe: _Probe) -> None:
    outputs, references = list(probe.half), probe.references
    probe.metric(outputs, references)
    for name, found, expected in (("outputs", outputs, probe.half), ("references", references, probe.references)):
        if found != expected:
            raise Fault(f"the list of {name} that it is given is another one after the call; other metrics get it too")


def _check_order(probe: _Probe) -> None:
    expected = probe.score(probe.half)
    found = probe.score(probe.half[::-1], probe.references[::-1])
    if not _same(found, expected):
        raise Fault(f"the corpus scores {expected:g}, and {found:g} with its sentences in the opposite order")
    outputs = [own[-1] for own in probe.references]
    expected = probe.score(outputs)
    found = probe.score(outputs, [own[::-1] for own in probe.references])
    if not _same(found, expected):
        raise Fault(
            f"the corpus scores {expected:g}, and {found:g} with the references of each output in the opposite order; "
            "all of them are correct"
        )


def _check_signature(probe: _Probe) -> None:
    probe.score(probe.right)
    signature = probe.metric.signature()
    if not isinstance(signature, str) or "\n" in signature:
        raise Fault(f"signature gives {signature!r}; it must be a line of text, an empty one where there is none")


def _check_statistics(probe: _Probe) -> None:
    rows = probe.metric.statistics(probe.half, probe.references)
    if rows is not None:
        if np.ndim(rows) != 2 or len(rows) != len(probe.half):
            shape = list(np.shape(rows))
            raise Fault(
                f"statistics of {len(probe.half)} outputs have the shape {shape}; they must be [N, D], a row each"
            )
        for count in (len(rows), len(rows) - 1):
            found = probe.metric.combine(np.asarray(rows)[:count].sum(0))
            expected = probe.score(probe.half[:count], probe.references[:count])
            if not _same(float(found), expected):
                raise Fault(
                    f"combine makes {found:g} of the sum of {count} rows of statistics, but their outputs score "
                    f"{expected:g}: confidence intervals would be those of another metric"
                )
    alone = probe.metric.sentence_scores(probe.half, probe.references)
    if len(alone) != len(probe.half):
        raise Fault(f"sentence_scores gives {len(alone)} scores of {len(probe.half)} outputs")


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _TOLERANCE * max(1.0, abs(one), abs(other))


METRIC_CHECKS = (
    Check("number", "a corpus has one finite number, with empty outputs too", _check_number),
    Check("kept", "nothing is kept between calls", _check_kept, ("number",)),
    Check("direction", "better outputs score better, as higher_is_better says", _check_direction, ("kept",)),
    Check("in_place", "nothing that it is given is changed", _check_in_place, ("number",)),
    Check("order", "sentences and references may come in any order", _check_order, ("kept", "in_place")),
    Check("signature", "how it is computed is a line of text", _check_signature, ("number",)),
    Check("statistics", "what the score is made of makes the score", _check_statistics, ("kept", "order")),
)
