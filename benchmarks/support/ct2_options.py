"""Random combinations of what CTranslate2's ``translate_batch`` can do, as its arguments and as ours.

Not drawn, because they do not belong to a search for the best outputs: random sampling (its generator is its own),
``callback``, ``use_vmap``, ``max_input_length``, ``replace_unknowns``; nor ``min_alternative_expansion_prob``, of which
we have no equal.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.support.ct2_models import VOCABULARY, Family
from seq2seq_kit import SearchOptions
from seq2seq_kit.decoding.inputs import SentenceInput


@dataclass
class Combination:
    """Options and inputs, in both languages."""

    vocabulary: list[str]
    sources: list[list[int]]
    options: SearchOptions
    sentences: list[SentenceInput]
    arguments: dict[str, Any] = field(default_factory=dict)  # of translate_batch
    uses: set[str] = field(default_factory=set)  # of these, what was drawn

    def use(self, name: str, argument: Any, **ours: Any) -> None:
        """Set one of CTranslate2's arguments and the same options of ours."""
        self.uses.add(name)
        self.arguments[name] = argument
        self.options = replace(self.options, **ours)

    def words(self, tokens: list[int]) -> list[str]:
        """Tokens as CTranslate2 has them."""
        return [self.vocabulary[token] for token in tokens]


def draw(rng: random.Random, family: Family, sources: list[list[int]], common: list[int]) -> Combination:
    """One combination; ``common`` are tokens that the model likes, so that to forbid them does something."""
    plain = SearchOptions(
        semantics="ct2",
        bos_id=family.start,
        eos_ids=(family.eos,),
        unk_id=family.unk,
        beam_size=1,
        min_length=1,
        max_length=12,
    )
    vocabulary = family.vocabulary(VOCABULARY)
    drawn = Combination(vocabulary, sources, plain, [SentenceInput(len(source)) for source in sources])
    drawn.arguments |= {"beam_size": 1, "max_decoding_length": 12}
    _ends(drawn, rng, family.eos, common)
    _width(drawn, rng)
    _lengths(drawn, rng)
    _prefix(drawn, rng, family, common)
    _scores(drawn, rng)
    _blocks(drawn, rng, common)
    return drawn


def _width(drawn: Combination, rng: random.Random) -> None:
    if rng.random() < 0.15:  # CTranslate2 may also continue alternatives by beam search, we do not
        count = rng.randint(2, 6)
        drawn.use("return_alternatives", True, alternatives=True)
        drawn.use("num_hypotheses", count, beam_size=count, n_best=count)
        return
    beam = rng.choice([1, 2, 3, 4, 5, 6])
    drawn.use("beam_size", beam, beam_size=beam)
    patience = rng.choice([0.5, 0.7, 1.5, 2.0]) if rng.random() < 0.3 else 1.0
    enough = math.floor(beam * patience + 0.5)
    if patience != 1:
        drawn.use("patience", patience, patience=patience)
    if enough == 0:
        drawn.use("patience", 1.5, patience=1.5)
        enough = beam
    best = rng.randint(1, min(beam, enough))
    if best > 1:
        drawn.use("num_hypotheses", best, n_best=best)


def _lengths(drawn: Combination, rng: random.Random) -> None:
    longest = 12
    if rng.random() < 0.5:
        longest = rng.randint(1, 16)
        drawn.use("max_decoding_length", longest, max_length=longest)
    if rng.random() < 0.3 or longest == 1:
        least = rng.randint(0, min(longest, 8))
        drawn.use("min_decoding_length", least, min_length=least)


def _prefix(drawn: Combination, rng: random.Random, family: Family, common: list[int]) -> None:
    if rng.random() > 0.4:
        return
    longest = 1 if drawn.options.alternatives and not family.reads_prefixes else 4
    prefixes = []
    for _ in drawn.sources:
        length = rng.randint(1, longest)
        any_token = range(3, VOCABULARY - 1)
        prefixes.append(tuple(rng.choice(common if rng.random() < 0.7 else any_token) for _ in range(length)))
    drawn.use("target_prefix", [drawn.words([*prefix]) for prefix in prefixes])
    drawn.sentences = [replace(s, prefix=prefix) for s, prefix in zip(drawn.sentences, prefixes, strict=True)]
    if not drawn.options.alternatives and rng.random() < 0.5:
        bias = rng.choice([0.05, 0.3, 0.7, 0.95])
        drawn.use("prefix_bias_beta", bias, prefix_bias=bias)


def _scores(drawn: Combination, rng: random.Random) -> None:
    if rng.random() < 0.5:
        penalty = rng.choice([0.0, 0.6, 1.4])
        drawn.use("length_penalty", penalty, length_penalty=penalty)
    if rng.random() < 0.25:
        weight = rng.choice([0.1, 0.5])
        drawn.use("coverage_penalty", weight, coverage_penalty=weight)
    if drawn.options.coverage_penalty or rng.random() < 0.15:  # with that penalty, greedy search crashes without
        drawn.use("return_attention", True, attention=True)
        drawn.arguments["max_batch_size"] = 1  # in a batch, a beam is given another sentence's attention at first


def _blocks(drawn: Combination, rng: random.Random, common: list[int]) -> None:
    if rng.random() < 0.25:
        penalty = rng.choice([0.8, 1.2, 2.0])
        drawn.use("repetition_penalty", penalty, repetition_penalty=penalty)
    if rng.random() < 0.25:
        size = rng.randint(1, 3)
        drawn.use("no_repeat_ngram_size", size, no_repeat_ngram=size)
    if rng.random() < 0.2:
        drawn.use("disable_unk", True, suppress=(drawn.options.unk_id,))
    if rng.random() < 0.3:
        sequences = [rng.choices(common, k=rng.randint(1, 3)) for _ in range(rng.randint(1, 5))]
        alone = tuple(sequence[0] for sequence in sequences if len(sequence) == 1)  # an end symbol may be among them
        longer = tuple(tuple(sequence) for sequence in sequences if len(sequence) > 1)
        words = [drawn.words(sequence) for sequence in sequences]
        drawn.use("suppress_sequences", words, bad_words=longer, suppress=drawn.options.suppress + alone)


def _ends(drawn: Combination, rng: random.Random, eos: int, common: list[int]) -> None:
    if rng.random() < 0.2:
        ends = rng.sample(sorted({eos, *common}), rng.randint(1, 2))
        drawn.use("end_token", drawn.words(ends), eos_ids=tuple(ends))
    if rng.random() < 0.5:
        drawn.use("return_end_token", True)
