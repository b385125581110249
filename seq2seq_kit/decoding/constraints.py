"""Automata for :attr:`SentenceInput.automaton`: what the output of a sentence may be. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from seq2seq_kit.decoding.inputs import Automaton
from seq2seq_kit.errors import UserError


def trie(outputs: Iterable[Sequence[int]]) -> Automaton:
    """The output is one of these, a forced prefix counted, EOS not (De Cao et al. 2021).

    Args:
        outputs: token sequences without EOS; an empty one lets the output be empty.

    Raises:
        UserError: there is none.
    """
    arcs: list[dict[int, int]] = [{}]
    accepting = set()
    for output in outputs:
        state = 0
        for token in output:
            if token not in arcs[state]:
                arcs[state][token] = len(arcs)
                arcs.append({})
            state = arcs[state][token]
        accepting.add(state)
    if not accepting:
        raise UserError("a trie of no outputs: nothing could be written")
    return Automaton(arcs, frozenset(accepting))


def repeated(automaton: Automaton, separator: int | None = None) -> Automaton:
    """One or more of what ``automaton`` accepts, with ``separator`` between them.

    Of a trie of words it makes the texts that consist of these words.

    Args:
        separator: a token id; None: one follows the other. Then no accepted output may begin another by a token with
            which the first could also go on: such a choice would need two states at once.

    Raises:
        UserError: that choice, or an output that may be empty.
    """
    if 0 in automaton.accepting:
        raise UserError("what is repeated may be empty: it would never come to an end")
    again = automaton.arcs[0] if separator is None else {separator: 0}
    arcs = []
    for state, after in enumerate(automaton.arcs):
        more = again if state in automaton.accepting else {}
        ambiguous = sorted(set(after) & set(more))
        if ambiguous:
            raise UserError(f"token {ambiguous[0]} may continue an accepted output or begin the next: give a separator")
        arcs.append({**after, **more})
    return Automaton(arcs, automaton.accepting)


def vocabulary(tokens: Iterable[int]) -> Automaton:
    """Only these tokens are written, in any order and number.

    Raises:
        UserError: there is none.
    """
    arcs = dict.fromkeys(tokens, 0)
    if not arcs:
        raise UserError("a vocabulary of no tokens: nothing could be written")
    return Automaton([arcs], frozenset({0}))
