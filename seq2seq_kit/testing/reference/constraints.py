"""Lexically constrained search (Post and Vilar 2018, vectorised as in Hu et al. 2019) by the rules of
``semantics="kit"``: one sentence at a time, plain Python.

A constraint is met by an output in which one of its phrases stands; the second of two equal ones by an output in which
they stand twice, and so on; occurrences may overlap. A constraint all of whose phrases are barred wherever they stand
(by ``suppress``, ``bad_words`` or ``banned``) or longer than the limit is given up: nobody waits for it.

- A hypothesis ends only when it has met all others. Endings that come too early are set aside, and are the results
  where there are no others: those with the fewest constraints unmet, best first.
- Its bank is the number of constraint tokens that it has: for each constraint that it has met those of the shortest
  phrase, and the most that the end of the hypothesis has of one that it has not met. Where the limit leaves no room to
  write all constraints one after the other, only the shortest count: those that fit.
- Candidates of a step are the best K (less those finished), the best of each slot, and of each slot the next token of
  each phrase of constraints that are not met. Slots are given in rounds over the banks, from the fullest to the
  emptiest: in each round the best candidate of each bank that is left. Those that have no room left for the tokens that
  they lack come after all others.

Sums are as everywhere: float32 additions, token by token.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.decoding.inputs import Constraint, SentenceInput, TokenSequence
from seq2seq_kit.decoding.options import SearchOptions
from seq2seq_kit.interfaces import ScoreKind
from seq2seq_kit.testing.reference.common import Candidate, best_candidates, length_limit, rank, ranking_score
from seq2seq_kit.testing.reference.kit import row


@dataclass
class _Live:
    tokens: list[int]
    log_probs: list[float]
    total: float


def search(
    score: Callable[[list[int]], Tensor],
    options: SearchOptions,
    sentence: SentenceInput = SentenceInput(),
    *,
    kind: ScoreKind = "logits",
) -> list[Hypothesis]:
    """Search one sentence that has constraints; no early stop is needed, because one changes nothing but time."""
    constraints = _Constraints(options, sentence)
    limit = length_limit(options, sentence)
    longest = limit + 1 if options.eos_ids else limit
    live = [_Live([], [], 0.0)]
    finished: list[Hypothesis] = []
    aside: list[Hypothesis] = []  # as they came

    def extend(candidate: Candidate) -> _Live:
        total, slot, token, log_prob = candidate
        return _Live([*live[slot].tokens, token], [*live[slot].log_probs, log_prob], total)

    def end(ended: _Live) -> Hypothesis:
        final = ranking_score(options, sentence, ended.total, len(ended.tokens))
        by_eos = ended.tokens[-1] in options.eos_ids and len(ended.tokens) <= limit
        return Hypothesis(
            ended.tokens,
            final,
            ended.total,
            ended.log_probs,
            "eos" if by_eos else "length",
            unmet=constraints.unmet(ended),
        )

    while live and len(finished) < options.beam_size:
        rows = [row(score(h.tokens), h.tokens, limit, options, sentence, kind) for h in live]  # K times [V]
        possible: list[Candidate] = []
        early: list[Candidate] = []
        for candidate in best_candidates(rows, [h.total for h in live]):
            ends = candidate[2] in options.eos_ids
            (early if ends and constraints.waits(live[candidate[1]]) else possible).append(candidate)
        early.sort(key=lambda candidate: (candidate[1], options.eos_ids.index(candidate[2])))
        aside += [end(extend(candidate)) for candidate in early]

        offered = _offered(possible, live, constraints, options.beam_size - len(finished))
        banks: dict[int, list[Candidate]] = defaultdict(list)
        for candidate in sorted(offered, key=rank):
            banks[constraints.bank(extend(candidate))].append(candidate)
        least = constraints.tokens() - (limit - len(live[0].tokens) - 1)
        in_time = {tokens: bank for tokens, bank in banks.items() if tokens >= least}
        late = {tokens: bank for tokens, bank in banks.items() if tokens < least}
        chosen = [*_in_rounds(in_time), *_in_rounds(late)]

        continued = []
        for candidate in sorted(chosen[: options.beam_size - len(finished)], key=rank):
            extended = extend(candidate)
            if candidate[2] not in options.eos_ids and len(extended.tokens) < longest:
                continued.append(extended)
            elif constraints.waits(extended):
                aside.append(end(extended))
            else:
                finished.append(end(extended))
        live = continued

    if not finished and aside:
        fewest = min(constraints.waits(hypothesis) for hypothesis in aside)
        finished = [hypothesis for hypothesis in aside if constraints.waits(hypothesis) == fewest]
    return sorted(finished, key=lambda hypothesis: -hypothesis.score)[: options.n_best]


def _in_rounds(banks: dict[int, list[Candidate]]) -> Iterator[Candidate]:
    """The best of each bank, from the fullest to the emptiest; then the second best of each; and so on."""
    for place in range(max(map(len, banks.values()), default=0)):
        for _, bank in sorted(banks.items(), reverse=True):
            yield from bank[place : place + 1]


def _offered(
    possible: list[Candidate], live: Sequence[_Live], constraints: _Constraints, wanted: int
) -> set[Candidate]:
    """``possible`` are all candidates, best first."""
    offered = set(possible[:wanted])
    for slot, hypothesis in enumerate(live):
        own = [candidate for candidate in possible if candidate[1] == slot]
        next_tokens = constraints.next_tokens(hypothesis)
        offered.update(own[:1], (candidate for candidate in own if candidate[2] in next_tokens))
    return offered


class _Constraints:
    """What hypotheses have of a sentence's constraints, counted anew from their tokens each time."""

    def __init__(self, options: SearchOptions, sentence: SentenceInput) -> None:
        limit = length_limit(options, sentence)
        barred = [*((token,) for token in options.suppress), *options.bad_words, *sentence.banned]
        self.all = [[tuple(phrase) for phrase in constraint] for constraint in sentence.constraints]
        self.possible = [
            [p for p in constraint if len(p) <= limit and not any(_times(p, [other]) for other in barred)]
            for constraint in self.all
        ]
        given = [] if options.prefix_bias else list(sentence.prefix)
        if not given and options.forced_first >= 0:
            given = [options.forced_first]
        start = _Live(given, [], 0.0)
        open_ = sorted(self._open(start), key=self._shortest)
        room = limit - len(given)
        self.counted = [i for i, phrases in enumerate(self.possible) if phrases and i not in open_]
        for i in open_:
            room -= self._shortest(i)
            if room >= 0:
                self.counted.append(i)

    def unmet(self, hypothesis: _Live | Hypothesis) -> list[int]:
        times_asked = [self.all[: i + 1].count(constraint) for i, constraint in enumerate(self.all)]
        return [i for i, phrases in enumerate(self.all) if _times(hypothesis.tokens, phrases) < times_asked[i]]

    def waits(self, hypothesis: _Live | Hypothesis) -> int:
        """How many constraints the hypothesis still has to meet before it may end."""
        return len(self._open(hypothesis))

    def bank(self, hypothesis: _Live) -> int:
        open_ = self._open(hypothesis)
        met = sum(self._shortest(i) for i in self.counted if i not in open_)
        begun = [
            self._shortest(i) - (len(phrase) - _written(hypothesis.tokens, phrase))
            for i in self.counted
            if i in open_
            for phrase in self.possible[i]
        ]
        return met + max([0, *begun])

    def tokens(self) -> int:
        """The fullest bank."""
        return sum(map(self._shortest, self.counted))

    def next_tokens(self, hypothesis: _Live) -> set[int]:
        phrases = [phrase for i in self._open(hypothesis) for phrase in self.possible[i]]
        return {phrase[_written(hypothesis.tokens, phrase)] for phrase in phrases}

    def _open(self, hypothesis: _Live | Hypothesis) -> list[int]:
        return [i for i in self.unmet(hypothesis) if self.possible[i]]

    def _shortest(self, constraint: int) -> int:
        return min(map(len, self.possible[constraint]))


def _times(tokens: Sequence[int], phrases: Constraint) -> int:
    """At how many places one of the phrases ends."""
    ends = [list(tokens[:length]) for length in range(1, len(tokens) + 1)]
    return sum(any(end[-len(phrase) :] == list(phrase) for phrase in phrases) for end in ends)


def _written(tokens: Sequence[int], phrase: TokenSequence) -> int:
    """The length of the longest beginning of the phrase, short of the whole, with which the tokens end."""
    return max(n for n in range(len(phrase)) if n == 0 or list(tokens[-n:]) == list(phrase[:n]))
