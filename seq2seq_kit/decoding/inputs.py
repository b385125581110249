"""What a search is told about one sentence, beside its scores. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TokenSequence = tuple[int, ...]

Constraint = Sequence[TokenSequence]
"""Phrases of which one must appear in the output (a disjunctive constraint); a list of one phrase is a plain one."""


@dataclass(frozen=True)
class Automaton:
    """A finite-state constraint: only tokens with an arc may follow. State 0 is the start.

    It reads the whole output, a forced prefix among it. Once a forced token leads out of it, nothing may follow.
    :mod:`seq2seq_kit.decoding.constraints` makes some.
    """

    arcs: Sequence[dict[int, int]]
    """For each state, the token ids that may come next and the states that they lead to. EOS is allowed where the state
    is in ``accepting``, whether it has an arc or not."""
    accepting: frozenset[int] = frozenset()
    """The states in which a hypothesis may end."""


@dataclass(frozen=True)
class SentenceInput:
    """One sentence of a batch; the C++ struct of the same fields is ``sentence_input.h``."""

    source_length: int = 0
    """Source tokens, for limits and penalties that depend on it."""
    source: TokenSequence = ()
    """The source's token ids in the target's vocabulary, for ``no_repeat_ngram_source`` and
    ``repetition_penalty_source``."""
    prefix: TokenSequence = ()
    """What the output must start with (or is led to, with ``prefix_bias``); BOS is not part of it.

    A forced prefix is written whatever other options bar, each token with the log-probability that the step gives it
    (``semantics="hf"`` and ``"ct2"`` give it instead, with 0). It may end with an end symbol, and is then the output.
    One that is longer than the sentence's limit, goes on after an end symbol, or leaves the automaton is an error."""
    constraints: Sequence[Constraint] = ()
    """What must appear (lexically constrained decoding, Post and Vilar 2018; Hu et al. 2019): of each constraint one of
    its phrases, which have no end symbol; of one that is given again, one more, which may overlap the other. A
    hypothesis ends only when it has met them all; where none can, those that meet most are returned, and say what is
    :attr:`~seq2seq_kit.decoding.hypothesis.Hypothesis.unmet`. For ``semantics="kit"``."""
    banned: Sequence[TokenSequence] = ()
    """Phrases that must not appear (a lone end symbol is passed over)."""
    automaton: Automaton | None = None
    """A finite-state constraint."""
    key: int = 0
    """Who the sentence is to the random generator: its samples depend on this and the seed, never on its batch."""
