"""Search options: the same frozen struct as ``csrc/include/seq2seq_kit/search_options.h`` (a test holds them equal).

Torch-free, so that the command line can show its help at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Semantics = Literal["kit", "hf", "fairseq", "ct2", "opennmt", "marian", "sockeye", "joey"]
Numerics = Literal["reference", "fast"]
Stop = Literal["default", "exact", "enough", "first", "all", "estimate", "longest"]
Coverage = Literal["wu", "see"]
Sampling = Literal["off", "tokens", "beams"]
Rng = Literal["counter", "torch"]

TokenSequence = tuple[int, ...]


@dataclass(frozen=True)
class SearchOptions:
    """How to search. Validated when a search starts; errors name the field, the value and the allowed range.

    Write s for the sum of a hypothesis' token log-probabilities and n for its number of tokens, EOS included. All
    additions are made in float32, token by token; a final score is that float32 sum divided in float64. What the
    fields mean under each ``semantics`` is told, with formulas, in ``docs/decoding.md``. These docstrings are the text
    of ``docs/search-options.md``, which ``make docs`` writes.
    """

    # --- How wide, by whose rules -------------------------------------------------------------------------------
    beam_size: int = 5
    """K, the number of hypotheses kept for a sentence; 1 is greedy search. With ``sampling="tokens"`` the number of
    independent samples."""
    n_best: int = 1
    """How many finished hypotheses to return for a sentence at most, best first."""
    semantics: Semantics = "kit"
    """Whose rules apply: candidates, score, stop rule, how EOS and lengths are counted."""
    numerics: Numerics = "fast"
    """``"reference"``: log-softmax by ATen in float32, then float32 additions; the same bits as the slow Python search
    in :mod:`seq2seq_kit.testing.reference_search`. ``"fast"``: one fused kernel on the CPU, equal but for last bits. On
    other devices, and where scores are log-probabilities already, the two are the same."""

    # --- Tokens with a meaning ----------------------------------------------------------------------------------
    bos_id: int = 1
    """The token fed at the first step; it need not be among the tokens that are scored."""
    eos_ids: TokenSequence = (2,)
    """Tokens that end a hypothesis; empty: hypotheses end at their limit without an end symbol."""
    unk_id: int = 3
    """The unknown word, for ``unk_penalty``."""

    # --- Length -------------------------------------------------------------------------------------------------
    min_length: int = 0
    """Tokens before EOS is allowed, EOS not counted, a forced prefix counted. A sentence's limit (``max_length``,
    ``max_length_ratio``, ``max_new_tokens``) wins where it is lower."""
    max_length: int = 256
    """The limit, a forced prefix counted. With ``semantics`` kit, fairseq and sockeye EOS is not counted: after so many
    tokens nothing but EOS may come. With the others it is: what has so many tokens is finished as it is."""
    min_new_tokens: int = 0
    """As ``min_length``, counted after the sentence's prefix; the greater of the two holds."""
    max_new_tokens: int = 0
    """As ``max_length``, counted after the sentence's prefix; the lower of the two holds. 0: no such limit."""
    max_length_ratio: float = 0.0
    """When above 0, also limits a sentence to ``floor(ratio * source length) + max_length_margin`` tokens (at least 1),
    counted as ``max_length`` counts. The source length is the sentence's own, whatever the batch's."""
    max_length_margin: int = 10
    """What ``max_length_ratio`` adds to its product."""
    length_decay_start: int = 0
    """Tokens after which EOS grows likelier (see ``length_decay_factor``), the sentence's prefix not counted."""
    length_decay_factor: float = 1.0
    """Adds ``|x| * (factor ** (length - start) - 1)`` to the score x of EOS (Hugging Face's exponential decay length
    penalty); 1: off."""

    # --- Score --------------------------------------------------------------------------------------------------
    length_penalty: float = 1.0
    """α in the length penalty ``((β + n) / (β + 1)) ** α`` by which s is divided (Wu et al. 2016): 0 compares sums, 1
    (with β = 0) means. With ``semantics="hf"`` it may be negative."""
    length_penalty_offset: float = 0.0
    """β of the length penalty: 0 gives ``n ** α``; 5 gives GNMT's ``((5 + n) / 6) ** α`` (Wu et al. 2016)."""
    word_penalty: float = 0.0
    """Subtracted from s for each token before it is divided (Marian's word penalty); negative: a reward."""
    brevity_penalty: float = 0.0
    """w of ``w * min(0, 1 - expected length / n)``, added to the score (Sockeye's brevity penalty)."""
    brevity_ratio: float = 1.0
    """The expected length, as a multiple of the source length, for ``brevity_penalty``."""
    coverage_penalty: float = 0.0
    """Weight of the coverage penalty (see ``coverage``), added to the score; 0: off. The step must give attention."""
    coverage: Coverage = "wu"
    """``"wu"``: the sum over the source of log(min(total attention, 1)), without positions that never had any (Wu et
    al. 2016); ``"see"``: minus the sum over steps and source of min(attention, attention so far) (See et al. 2017)."""
    unk_penalty: float = 0.0
    """Subtracted from the log-probability of ``unk_id``; with infinity it is never written."""

    # --- When to stop -------------------------------------------------------------------------------------------
    stop: Stop = "default"
    """The stop rule; each semantics has its default and says which others it knows. ``"exact"``: when nothing better
    can come; ``"enough"``: when K * ``patience`` hypotheses have finished (with ``semantics="hf"`` K, its
    ``early_stopping=True``); ``"first"``: when one has; ``"all"``: when no slot is left; ``"estimate"`` and
    ``"longest"``: Hugging Face's ``early_stopping=False`` and ``"never"``."""
    patience: float = 1.0
    """Multiplies the number of hypotheses that must finish before a sentence ends (Kasai et al. 2022), rounded: of
    ``stop="enough"`` with kit semantics, of the default rule with ``semantics="ct2"``."""
    max_seconds: float = 0.0
    """Deadline of a search, looked at before each step: what is best by then is returned, and what of it had not ended
    is marked ``finish="deadline"``; 0: none."""

    # --- Blocking and biasing -----------------------------------------------------------------------------------
    no_repeat_ngram: int = 0
    """No n-gram of this size comes twice in a hypothesis (Paulus et al. 2017); 0: off."""
    no_repeat_ngram_except: TokenSequence = ()
    """n-grams that contain one of these tokens may repeat."""
    no_repeat_ngram_source: int = 0
    """No n-gram of this size of the source is copied; needs :attr:`SentenceInput.source`. 0: off."""
    repetition_penalty: float = 1.0
    """Divides positive and multiplies negative scores of tokens already written, once each (Keskar et al. 2019); below
    1 it favours them; 1: off."""
    repetition_penalty_source: float = 1.0
    """Multiplies positive and divides negative scores of the source's tokens: above 1 favours them (Hugging Face's
    encoder repetition penalty); needs :attr:`SentenceInput.source`. 1: off."""
    bad_words: tuple[TokenSequence, ...] = ()
    """Token sequences that are never completed (a lone end symbol is passed over)."""
    sequence_bias: tuple[tuple[TokenSequence, float], ...] = ()
    """(tokens, bias) pairs: the bias is added to the last token's score where the others have just been written; minus
    infinity bars it."""
    suppress: TokenSequence = ()
    """Tokens that are never written."""
    suppress_at_start: TokenSequence = ()
    """Tokens that are not written first: after the sentence's prefix, or else after ``forced_first``."""
    forced_first: int = -1
    """The token that must come first; -1: none."""
    forced_last: int = -1
    """The token that must come last where the limit is reached; -1: none. Where EOS is not counted by the limit (see
    ``max_length``), EOS comes last anyway, and this says which of several."""
    prefix_bias: float = 0.0
    """0: a sentence's prefix is forced. Above 0 it is only favoured: as long as a hypothesis follows it, the prefix's
    next token has probability ``(1 - bias) p + bias``, every other ``(1 - bias) p`` (CTranslate2's prefix bias)."""

    # --- Sampling -----------------------------------------------------------------------------------------------
    sampling: Sampling = "off"
    """``"tokens"``: K independent samples a sentence; ``"beams"``: beam search whose candidates are drawn without
    replacement (Hugging Face's beam sampling). For ``semantics`` kit and hf."""
    temperature: float = 1.0
    """Scores are divided by it before the softmax, also in greedy and beam search: below 1 sharpens."""
    top_h: float = 0.0
    """Of the 100 likeliest tokens, renormalised, only the likeliest: as many as have, with their terms -p log p, at
    most this share of the entropy, and at least one (top-H decoding, arXiv:2509.02510, as in Hugging Face); 0: all."""
    top_k: int = 0
    """Only the k likeliest tokens (Fan et al. 2018); 0: all."""
    top_p: float = 1.0
    """Only the smallest set of likeliest tokens with at least this probability (Holtzman et al. 2020); 1: all. Like the
    four after it, it sees what those before it have left, renormalised, and leaves at least one token."""
    min_p: float = 0.0
    """Only tokens at least this times as likely as the likeliest (Nguyen et al. 2024); 0: all."""
    typical_p: float = 1.0
    """Only the tokens whose -log p lies nearest to the entropy, as many as it takes to have this probability (Meister
    et al. 2022); 1: all."""
    epsilon: float = 0.0
    """Only tokens at least this likely (Hewitt et al. 2022); 0: all."""
    eta: float = 0.0
    """Only tokens at least ``min(η, sqrt(η) * exp(-entropy))`` likely (Hewitt et al. 2022); 0: all."""
    seed: int = -1
    """Seed of the samples; -1: drawn from torch's default generator when the search starts."""
    rng: Rng = "counter"
    """``"counter"``: Philox by (seed, sentence key, sample, position), so that a sample does not depend on its batch;
    ``"torch"``: ``torch.multinomial`` on the whole batch, for parity with other toolkits."""

    # --- Diversity ----------------------------------------------------------------------------------------------
    groups: int = 1
    """Diverse beam search (Vijayakumar et al. 2018): so many groups of K / groups slots, which choose one after the
    other. For ``semantics`` kit and hf."""
    diversity_penalty: float = 0.0
    """Subtracted from a token's score for each time an earlier group chose it at this step (Vijayakumar et al.
    2018)."""
    sibling_penalty: float = 0.0
    """Subtracted times a candidate's rank (from 1) among those of the same parent (Li et al. 2016). With kit semantics
    it steers the choice alone; with ``semantics="fairseq"`` it stays in the sum (fairseq's ``diversity_rate``). The
    others have none."""
    alternatives: bool = False
    """Return alternatives at the position after the prefix: the best tokens there, ``n_best`` of them, each continued
    greedily, in the order of these tokens (CTranslate2's ``return_alternatives``). For ``semantics`` kit and ct2."""

    # --- Results ------------------------------------------------------------------------------------------------
    attention: bool = False
    """Return the attention along each hypothesis, where the decoder gives any, in :attr:`Hypothesis.attention`."""
    top_tokens: int = 0
    """Return this many of the likeliest tokens at each step of each hypothesis, with their log-probabilities, in
    :attr:`Hypothesis.top_tokens`; 0: none."""
