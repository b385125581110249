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
    fields mean under each ``semantics`` is told, with formulas, in ``docs/decoding.md``.
    """

    # --- How wide, by whose rules -------------------------------------------------------------------------------
    beam_size: int = 5
    """K, the number of hypotheses kept for a sentence; 1 is greedy search. With ``sampling="tokens"`` the number of
    independent samples. At least 1."""
    n_best: int = 1
    """How many finished hypotheses to return for a sentence, best first. 1 to ``beam_size``."""
    semantics: Semantics = "kit"
    """Whose rules apply: candidates, score, stop rule, how EOS and lengths are counted."""
    numerics: Numerics = "fast"
    """``"reference"``: log-softmax by ATen in float32, then float32 additions; the same bits as the slow Python search
    in :mod:`seq2seq_kit.testing.reference_search`. ``"fast"``: one fused kernel on the CPU, equal but for last bits. On
    other devices, and where scores are log-probabilities already, the two are the same."""

    # --- Tokens with a meaning ----------------------------------------------------------------------------------
    bos_id: int = 1
    """The token fed at the first step. At least 0; it need not be among the tokens that are scored."""
    eos_ids: TokenSequence = (2,)
    """Tokens that end a hypothesis; empty: hypotheses end at ``max_length`` without an end symbol."""
    unk_id: int = 3
    """The unknown word, for ``unk_penalty``. At least 0."""

    # --- Length -------------------------------------------------------------------------------------------------
    min_length: int = 0
    """Tokens before EOS is allowed, EOS not counted; what is masked keeps its share of the probability. 0 to
    ``max_length``; a sentence's own lower limit (``max_length_ratio``) wins."""
    max_length: int = 256
    """Tokens after which only EOS is allowed, EOS not counted, a forced prefix counted. At least 1."""
    min_new_tokens: int = 0
    """As ``min_length``, counted after the sentence's forced prefix. At least 0."""
    max_new_tokens: int = 0
    """As ``max_length``, counted after the sentence's forced prefix; 0: no such limit."""
    max_length_ratio: float = 0.0
    """When above 0, also limits a sentence to ``floor(ratio * source length) + max_length_margin`` tokens,
    at least 1. Not negative."""
    max_length_margin: int = 10
    """See ``max_length_ratio``. At least 0."""
    length_decay_start: int = 0
    """Tokens after which EOS grows likelier (see ``length_decay_factor``), a forced prefix not counted. At least 0."""
    length_decay_factor: float = 1.0
    """Adds ``|x| * (factor ** (length - start) - 1)`` to the score x of EOS (Hugging Face's exponential decay length
    penalty); 1: off. Above 0."""

    # --- Score --------------------------------------------------------------------------------------------------
    length_penalty: float = 1.0
    """α in the length penalty ((β + n) / (β + 1))**α by which s is divided (Wu et al. 2016): 0 compares sums, 1 means.
    Not negative."""
    length_penalty_offset: float = 0.0
    """β of the length penalty: 0 gives n**α; 5 gives GNMT's ((5 + n) / 6)**α. Not negative."""
    word_penalty: float = 0.0
    """Subtracted from s for each token before it is divided (Marian's word penalty); negative: a reward."""
    brevity_penalty: float = 0.0
    """w of ``w * min(0, 1 - expected length / n)``, added to the score (Sockeye). Not negative."""
    brevity_ratio: float = 1.0
    """The expected length, as a multiple of the source length, for ``brevity_penalty``. Above 0."""
    coverage_penalty: float = 0.0
    """Weight of the coverage penalty, added to the score; 0: off. The step must give attention. Not negative."""
    coverage: Coverage = "wu"
    """``"wu"``: the sum over the source of log(min(total attention, 1)) (Wu et al. 2016); ``"see"``: minus the sum over
    steps and source of min(attention, attention so far) (See et al. 2017)."""
    unk_penalty: float = 0.0
    """Subtracted from the log-probability of ``unk_id``; infinity never writes it. Not negative."""

    # --- When to stop -------------------------------------------------------------------------------------------
    stop: Stop = "default"
    """The stop rule; each semantics has its default and says which others it knows. ``"exact"``: when nothing better
    can come; ``"enough"``: when K * ``patience`` hypotheses have finished; ``"first"``: when one has; ``"all"``: when
    no slot is left; ``"estimate"`` and ``"longest"``: Hugging Face's ``early_stopping=False`` and ``"never"``."""
    patience: float = 1.0
    """Multiplies the number of hypotheses that must finish before ``stop="enough"`` ends a sentence (Kasai et al.
    2022). Above 0."""
    max_seconds: float = 0.0
    """Deadline of a search: what is best by then is returned and marked ``finish="deadline"``; 0: none."""

    # --- Blocking and biasing -----------------------------------------------------------------------------------
    no_repeat_ngram: int = 0
    """No n-gram of this size comes twice in a hypothesis (Paulus et al. 2017); 0: off."""
    no_repeat_ngram_except: TokenSequence = ()
    """n-grams that contain one of these tokens may repeat."""
    no_repeat_ngram_source: int = 0
    """No n-gram of this size of the source is copied; needs source tokens. 0: off."""
    repetition_penalty: float = 1.0
    """Divides positive and multiplies negative scores of tokens already written (Keskar et al. 2019); 1: off."""
    repetition_penalty_source: float = 1.0
    """The inverse, for tokens of the source (Hugging Face's encoder repetition penalty); needs source tokens. 1: off."""
    bad_words: tuple[TokenSequence, ...] = ()
    """Token sequences that are never completed."""
    sequence_bias: tuple[tuple[TokenSequence, float], ...] = ()
    """(tokens, bias) pairs: the bias is added to the last token's score where the others have just been written."""
    suppress: TokenSequence = ()
    """Tokens that are never written."""
    suppress_at_start: TokenSequence = ()
    """Tokens that are not written first (after a forced prefix and ``forced_first``)."""
    forced_first: int = -1
    """The token that must come first; -1: none."""
    forced_last: int = -1
    """The token that must come last where ``max_length`` is reached; -1: none. Kit semantics forces EOS anyway."""
    prefix_bias: float = 0.0
    """0: a sentence's prefix is forced. Above 0 and below 1 it is only favoured: as long as a hypothesis follows it,
    the scored distribution is (1 - bias) p + bias on the prefix's next token (CTranslate2's prefix bias)."""

    # --- Sampling -----------------------------------------------------------------------------------------------
    sampling: Sampling = "off"
    """``"tokens"``: K independent samples a sentence; ``"beams"``: beam search whose candidates are drawn (Hugging
    Face's beam sampling)."""
    temperature: float = 1.0
    """Scores are divided by it before the softmax, also in beam search. Above 0."""
    top_k: int = 0
    """Only the k likeliest tokens (Fan et al. 2018); 0: all."""
    top_p: float = 1.0
    """Only the smallest set of likeliest tokens with at least this probability (Holtzman et al. 2020). 0 to 1."""
    min_p: float = 0.0
    """Only tokens at least this times as likely as the likeliest (Nguyen et al. 2024). 0 to 1."""
    typical_p: float = 1.0
    """Only the most typical tokens with at least this probability (Meister et al. 2022). Above 0, to 1."""
    epsilon: float = 0.0
    """Only tokens at least this likely (Hewitt et al. 2022). 0 to 1, exclusive."""
    eta: float = 0.0
    """Only tokens at least min(η, sqrt(η) exp(-entropy)) likely (Hewitt et al. 2022). 0 to 1, exclusive."""
    seed: int = -1
    """Seed of the samples, at least 0; -1: drawn from torch's default generator."""
    rng: Rng = "counter"
    """``"counter"``: Philox by (seed, sentence key, sample, position), so that a sample does not depend on its batch;
    ``"torch"``: ``torch.multinomial`` on the whole batch, for parity with other toolkits."""

    # --- Diversity ----------------------------------------------------------------------------------------------
    groups: int = 1
    """Diverse beam search (Vijayakumar et al. 2018): K / groups slots each. Divides ``beam_size``."""
    diversity_penalty: float = 0.0
    """Subtracted from a token's score for each time an earlier group chose it at this step. Not negative."""
    sibling_penalty: float = 0.0
    """Subtracted times a candidate's rank among those of the same parent, from 1 (Li et al. 2016). Not negative."""
    alternatives: bool = False
    """Return alternatives at the position after the prefix: the ``beam_size`` best tokens there, each continued
    greedily (CTranslate2's ``return_alternatives``)."""

    # --- Results ------------------------------------------------------------------------------------------------
    attention: bool = False
    """Return the attention along each hypothesis, where the decoder gives any."""
    top_tokens: int = 0
    """Return this many of the likeliest tokens at each step of each hypothesis, with their log-probabilities."""
