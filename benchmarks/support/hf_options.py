"""Random combinations of everything that ``generate`` can do, as its arguments and as ours."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from seq2seq_kit import SearchOptions
from seq2seq_kit.decoding.inputs import Automaton, SentenceInput

METHODS = {"greedy": 4, "beams": 12, "sampling": 4, "beam sampling": 3, "groups": 3}
"""How to search, and how often."""


@dataclass
class Combination:
    """Options and inputs, in both languages."""

    method: str
    sources: list[list[int]]
    arguments: dict[str, Any]  # of generate
    options: SearchOptions
    sentences: list[SentenceInput]
    seed: int
    uses: set[str] = field(default_factory=set)  # generate's names of what was drawn

    def use(self, name: str, argument: Any = None, **ours: Any) -> None:
        """Set one of generate's arguments and the same options of ours."""
        self.uses.add(name)
        if argument is not None:
            self.arguments[name.partition("=")[0]] = argument
        self.options = replace(self.options, **ours)

    def tell(self, **ours: Any) -> None:
        """Tell the same of each sentence."""
        self.sentences = [replace(sentence, **ours) for sentence in self.sentences]


def draw(seed: int, methods: list[str], vocab: int, pad: int, eos: int, start: int) -> Combination:
    """The combination of a seed."""
    rng = random.Random(seed)
    words = [token for token in range(vocab) if token not in (pad, eos, start)]
    sources = [[*rng.choices(words, k=rng.randint(2, 8)), eos] for _ in range(3)]
    longest = max(map(len, sources))
    padded = [tuple(source + [pad] * (longest - len(source))) for source in sources]  # what generate's options read
    sentences = [
        SentenceInput(source_length=len(source), source=row, key=key)
        for key, (source, row) in enumerate(zip(sources, padded, strict=True))
    ]
    method = rng.choices(methods, [METHODS[name] for name in methods])[0]
    options = SearchOptions(semantics="hf", bos_id=start, beam_size=1, eos_ids=(eos,), max_length=256)
    drawn = Combination(method, sources, {"eos_token_id": eos}, options, sentences, seed)
    for part in (_method, _lengths, _tokens, _penalties, _without_effect):
        part(drawn, rng, words, eos)
    return drawn


def _method(drawn: Combination, rng: random.Random, words: list[int], eos: int) -> None:
    drawn.use(f"({drawn.method})")
    if drawn.method in ("sampling", "beam sampling"):
        _sampling(drawn, rng)
    if drawn.method == "sampling":
        samples = rng.randint(1, 3)
        drawn.use("num_return_sequences", samples, beam_size=samples, n_best=samples)
        return
    if drawn.method == "greedy":
        return
    groups = rng.choice([2, 3]) if drawn.method == "groups" else 1
    beams = groups * rng.choice([1, 2]) if groups > 1 else rng.randint(2, 5)
    drawn.use("num_beams", beams, beam_size=beams)
    drawn.use("num_return_sequences", n_best := rng.randint(1, beams), n_best=n_best)
    if groups > 1:
        drawn.use("num_beam_groups", groups, groups=groups)
        penalty = rng.choice([0.3, 1.0, 2.5])
        drawn.use("diversity_penalty", penalty, diversity_penalty=penalty)
    drawn.use("length_penalty", penalty := rng.choice([-0.5, 0.0, 0.5, 1.0, 1.7]), length_penalty=penalty)
    stop = rng.choice(["estimate", "enough", "longest"])
    argument = {"estimate": False, "enough": True, "longest": "never"}[stop]
    drawn.use(f"early_stopping={argument}", argument, stop=stop)
    drawn.arguments["early_stopping"] = argument


def _sampling(drawn: Combination, rng: random.Random) -> None:
    drawn.arguments |= {"do_sample": True, "top_k": 0}
    sampling = "tokens" if drawn.method == "sampling" else "beams"
    drawn.options = replace(drawn.options, sampling=sampling, rng="torch", seed=drawn.seed)
    filters: dict[str, tuple[str, list[Any]]] = {
        "temperature": ("temperature", [0.5, 0.8, 1.5]),
        "top_k": ("top_k", [3, 12]),
        "top_p": ("top_p", [0.6, 0.95]),
        "min_p": ("min_p", [0.02, 0.2]),
        "typical_p": ("typical_p", [0.5, 0.9]),
        "epsilon_cutoff": ("epsilon", [0.003, 0.05]),
        "eta_cutoff": ("eta", [0.003, 0.1]),
    }
    for name, (ours, values) in filters.items():
        if rng.random() < 0.3:
            drawn.use(name, value := rng.choice(values), **{ours: value})


def _lengths(drawn: Combination, rng: random.Random, words: list[int], eos: int) -> None:
    """A prompt, and the limits, which count the start token (and the prompt) there but not here."""
    prompt = tuple(rng.choices(words, k=rng.randint(1, 3))) if rng.random() < 0.2 else ()
    if prompt:
        drawn.use("decoder_input_ids")
        drawn.tell(prefix=prompt)
    longest = rng.randint(3, 14)
    if rng.random() < 0.4:
        drawn.use("max_new_tokens", longest, max_new_tokens=longest)
    else:
        drawn.use("max_length", 1 + len(prompt) + longest, max_length=len(prompt) + longest)
    if rng.random() < 0.2:
        drawn.use("min_length", 1 + (shortest := rng.randint(1, len(prompt) + longest)), min_length=shortest)
    elif rng.random() < 0.2:
        drawn.use("min_new_tokens", shortest := rng.randint(1, longest), min_new_tokens=shortest)


def _tokens(drawn: Combination, rng: random.Random, words: list[int], eos: int) -> None:
    """Options that force, forbid or favour tokens."""
    if rng.random() < 0.15:
        ends = [eos, *rng.sample(words, rng.randint(1, 4))]
        drawn.use("eos_token_id=[…]", ends, eos_ids=tuple(ends))
    if rng.random() < 0.15:
        drawn.use("forced_bos_token_id", token := rng.choice(words), forced_first=token)
    if rng.random() < 0.2:
        drawn.use("forced_eos_token_id", eos, forced_last=eos)
    if rng.random() < 0.15:
        phrases = _phrases(rng, words, 8)
        drawn.use("bad_words_ids", [list(phrase) for phrase in phrases], bad_words=tuple(phrases))
    if rng.random() < 0.15:
        biases = {phrase: rng.choice([-3.0, -0.7, 0.8, 2.5]) for phrase in _phrases(rng, words, 12)}
        drawn.use("sequence_bias", biases, sequence_bias=tuple(biases.items()))
    if rng.random() < 0.15:
        others = [word for word in words if word != drawn.options.forced_first]  # which would leave nothing
        drawn.use("suppress_tokens", tokens := rng.sample(others, 5), suppress=tuple(tokens))
    if rng.random() < 0.15:
        drawn.use("begin_suppress_tokens", tokens := [*rng.sample(words, 5), eos], suppress_at_start=tuple(tokens))
    if rng.random() < 0.15 and "decoder_input_ids" not in drawn.uses:
        automaton = _automaton(rng, words, drawn.options)
        drawn.use("prefix_allowed_tokens_fn")
        drawn.tell(automaton=automaton)
        drawn.arguments["prefix_allowed_tokens_fn"] = _as_function(automaton, drawn.options.eos_ids)


def _phrases(rng: random.Random, words: list[int], count: int) -> list[tuple[int, ...]]:
    few = words[:12]  # so that they come up
    return list({tuple(rng.choices(few, k=rng.randint(1, 3))) for _ in range(count)})


def _automaton(rng: random.Random, words: list[int], options: SearchOptions) -> Automaton:
    """Few states, each of which allows most words (a forced first one too) and may end."""
    states = rng.randint(2, 4)
    going_on = [word for word in words if word not in options.eos_ids]
    arcs = [{word: rng.randrange(states) for word in going_on if rng.random() < 0.7} for _ in range(states)]
    if options.forced_first in going_on:
        arcs[0][options.forced_first] = 0
    return Automaton(arcs, frozenset(range(states)))


def _as_function(automaton: Automaton, ends: tuple[int, ...]) -> Callable[[int, Any], list[int]]:
    def allowed(_sentence: int, tokens: Any) -> list[int]:
        state = 0
        for token in tokens.tolist()[1:]:
            state = automaton.arcs[state].get(token, 0)
        return [*automaton.arcs[state], *ends]

    return allowed


def _penalties(drawn: Combination, rng: random.Random, words: list[int], eos: int) -> None:
    """Options that look at what was written or read."""
    if rng.random() < 0.2:
        drawn.use("repetition_penalty", penalty := rng.choice([0.8, 1.3, 2.0]), repetition_penalty=penalty)
    alone = drawn.method == "greedy" or (drawn.method == "sampling" and drawn.options.beam_size == 1)
    if alone and rng.random() < 0.4:  # generate applies it to the first B of B * K rows, whosever they are
        penalty = rng.choice([0.7, 1.5])
        drawn.use("encoder_repetition_penalty", penalty, repetition_penalty_source=penalty)
    if rng.random() < 0.2:
        drawn.use("no_repeat_ngram_size", size := rng.randint(2, 3), no_repeat_ngram=size)
    if rng.random() < 0.15:
        drawn.use("encoder_no_repeat_ngram_size", size := rng.randint(1, 2), no_repeat_ngram_source=size)
    forbidden = {"min_length", "min_new_tokens", "encoder_no_repeat_ngram_size", "begin_suppress_tokens"}
    forbidden |= {"eos_token_id=[…]", "forced_eos_token_id", "forced_bos_token_id", "prefix_allowed_tokens_fn"}
    if drawn.method == "sampling":  # there too, in rows that have ended
        forbidden.add("no_repeat_ngram_size")
    if rng.random() < 0.35 and not forbidden & drawn.uses:  # generate makes NaN of an EOS that is forbidden
        start, factor = rng.randint(0, 6), rng.choice([1.05, 1.3])
        argument = (start, factor)
        drawn.use("exponential_decay_length_penalty", argument, length_decay_start=start, length_decay_factor=factor)


def _without_effect(drawn: Combination, rng: random.Random, words: list[int], eos: int) -> None:
    """Options of generate's that make no difference to finite scores, or only to what is no longer ranked."""
    if rng.random() < 0.15 and "exponential_decay_length_penalty" not in drawn.uses:
        drawn.use("remove_invalid_values", True)
    if rng.random() < 0.4 and drawn.method in ("greedy", "sampling"):
        drawn.use("renormalize_logits", True)
