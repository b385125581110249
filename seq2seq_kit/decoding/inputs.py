"""What a search is told about one sentence, beside its scores. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TokenSequence = tuple[int, ...]

Constraint = Sequence[TokenSequence]
"""Phrases of which one must appear in the output (a disjunctive constraint); a list of one phrase is a plain one."""


@dataclass(frozen=True)
class Automaton:
    """A finite-state constraint: only tokens with an arc may follow. State 0 is the start."""

    arcs: Sequence[dict[int, int]]
    """For each state, the token ids that may come next and the states that they lead to. EOS is allowed where the state
    is in ``accepting``, and needs no arc."""
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
    """What the output must start with (or is led to, with ``prefix_bias``); BOS is not part of it."""
    constraints: Sequence[Constraint] = ()
    """Phrases that must appear (lexically constrained decoding, Post and Vilar 2018)."""
    banned: Sequence[TokenSequence] = ()
    """Phrases that must not appear."""
    automaton: Automaton | None = None
    """A finite-state constraint."""
    key: int = 0
    """Who the sentence is to the random generator: its samples depend on this and the seed, never on its batch."""
