"""Every option that blocks or biases tokens, written to be read: one row of scores at a time, in float32.

The order is Hugging Face's: unknown word, sequence bias, source repetition penalty, repetition penalty, n-grams, source
n-grams, bad words and banned phrases, automaton, forced first token, forced last token, length decay, suppressed
tokens, suppressed first tokens; then the sentence's prefix. What is impossible stays so until a token is forced. Token
ids that the step does not score (they may stand in a source) are passed over.

With ``semantics="hf"`` the repetition penalty and the n-grams count BOS as a token of the sequence, and a forced token
has the score 0; else BOS is none, and a forced token keeps the score that the step gave it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from seq2seq_kit.decoding.inputs import SentenceInput
from seq2seq_kit.decoding.options import SearchOptions

LARGEST = torch.finfo(torch.float32).max


def apply(
    scores: Tensor,
    generated: list[int],
    options: SearchOptions,
    sentence: SentenceInput,
    limit: int,
    *,
    barred: Sequence[int] = (),
) -> Tensor:
    """The scores of the next token as the options leave them.

    Args:
        scores: [V] float32, as the step gives them or their log-softmax; not changed.
        generated: the tokens so far, a forced prefix among them, without BOS.
        limit: the sentence's ``length_limit``.
        barred: what the semantics itself bars at this step; a forced token is none the less allowed.
    """
    given, scores = scores, scores.clone()
    sequence = [options.bos_id, *generated] if options.semantics == "hf" else generated
    _ban(scores, barred)
    if options.unk_penalty:
        scores[options.unk_id] = scores[options.unk_id] - options.unk_penalty
    _bias_sequences(scores, generated, options)
    _scale(scores, sentence.source, 1 / options.repetition_penalty_source)
    _scale(scores, sequence, options.repetition_penalty)
    _ban(scores, _repeated(sequence, sequence, options.no_repeat_ngram, options.no_repeat_ngram_except))
    _ban(scores, _repeated(sequence, sentence.source, options.no_repeat_ngram_source, ()))
    _ban(scores, _completed(generated, [*options.bad_words, *sentence.banned], options))
    if sentence.automaton is not None:
        _only(scores, _accepted(generated, sentence, options))
    if not generated and options.forced_first >= 0:
        _force(scores, options.forced_first, given, options)
    if len(generated) == _last_position(limit, options) and options.forced_last >= 0:
        _force(scores, options.forced_last, given, options)
    _decay_length(scores, len(generated) - len(sentence.prefix), options)
    _ban(scores, options.suppress)
    if len(generated) == (len(sentence.prefix) or int(options.forced_first >= 0)):
        _ban(scores, options.suppress_at_start)
    if len(generated) < len(sentence.prefix):
        token = sentence.prefix[len(generated)]
        if not options.prefix_bias:
            _force(scores, token, given, options)
        elif options.semantics != "ct2" and generated == [*sentence.prefix[: len(generated)]]:
            _favour(scores, token, options.prefix_bias)
    return scores


def _ban(scores: Tensor, tokens: Iterable[int]) -> None:
    for token in tokens:
        if token < len(scores):
            scores[token] = -math.inf


def _only(scores: Tensor, tokens: Iterable[int]) -> None:
    _ban(scores, set(range(len(scores))) - set(tokens))


def _force(scores: Tensor, token: int, given: Tensor, options: SearchOptions) -> None:
    """CTranslate2, like Hugging Face, does not score a prefix: its tokens get 0."""
    scores.fill_(-math.inf)
    if token < len(scores):
        scores[token] = 0 if options.semantics in ("hf", "ct2") else given[token]


def _bias_sequences(scores: Tensor, generated: list[int], options: SearchOptions) -> None:
    """Single tokens first, then the longer sequences, each in the order given, one float32 addition each."""
    for (*before, token), bias in sorted(options.sequence_bias, key=lambda pair: len(pair[0]) > 1):
        if _ends_with(generated, before):
            scores[token] = scores[token] + bias


def _scale(scores: Tensor, tokens: Iterable[int], penalty: float) -> None:
    """Divides what is positive and multiplies what is negative, once for each token."""
    if penalty != 1:
        for token in set(tokens):
            if token < len(scores):
                scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty


def _repeated(sequence: Sequence[int], source: Sequence[int], size: int, exempt: Sequence[int]) -> Iterator[int]:
    """The tokens with which the end of ``sequence`` would become an n-gram of ``source``."""
    if size == 0 or len(sequence) < size - 1:
        return
    end = list(sequence[len(sequence) - size + 1 :])
    for i in range(len(source) - size + 1):
        gram = list(source[i : i + size])
        if gram[:-1] == end and not set(gram) & set(exempt):
            yield gram[-1]


def _completed(generated: list[int], phrases: Iterable[Sequence[int]], options: SearchOptions) -> Iterator[int]:
    """The tokens that would complete a phrase. A lone end symbol is none, as in Hugging Face."""
    for *before, token in phrases:
        if _ends_with(generated, before) and (before or token not in options.eos_ids):
            yield token


def _ends_with(generated: list[int], tokens: list[int]) -> bool:
    return generated[max(0, len(generated) - len(tokens)) :] == tokens


def _accepted(generated: list[int], sentence: SentenceInput, options: SearchOptions) -> list[int]:
    """What the automaton lets follow; once it is left (a forced token had no arc), nothing."""
    assert sentence.automaton is not None
    state = 0
    for token in generated:
        if token not in sentence.automaton.arcs[state]:
            return []
        state = sentence.automaton.arcs[state][token]
    tokens = set(sentence.automaton.arcs[state]) - set(options.eos_ids)
    return [*tokens, *options.eos_ids] if state in sentence.automaton.accepting else [*tokens]


def _last_position(limit: int, options: SearchOptions) -> int:
    """Where the last token comes: some semantics count EOS among the tokens that are limited."""
    eos_follows = options.semantics in ("kit", "fairseq", "sockeye") and options.eos_ids
    return limit if eos_follows else limit - 1


def _decay_length(scores: Tensor, length: int, options: SearchOptions) -> None:
    """x + |x| (factor ** (length - start) - 1) for each end symbol; the power in float64, the rest in float32."""
    past = length - options.length_decay_start
    if options.length_decay_factor == 1 or past <= 0:
        return
    growth = _power(options.length_decay_factor, past) - 1
    for token in options.eos_ids:
        if scores[token] > -math.inf:
            scores[token] = scores[token] + scores[token].abs() * growth


def _power(base: float, exponent: int) -> float:
    """At most what float32 holds, so that 0 times it is 0."""
    try:
        return min(base**exponent, LARGEST)
    except OverflowError:
        return LARGEST


def _favour(scores: Tensor, token: int, bias: float) -> None:
    """log((1 - bias) p), in float32; log((1 - bias) p + bias) for the favoured token, in float64.

    Here CTranslate2 also lets a token come that other options bar.
    """
    favoured = scores[token].item()
    scores += math.log1p(-bias)
    if favoured > -math.inf:
        less, more = sorted([favoured + math.log1p(-bias), math.log(bias)])
        scores[token] = more + math.log1p(math.exp(less - more))
