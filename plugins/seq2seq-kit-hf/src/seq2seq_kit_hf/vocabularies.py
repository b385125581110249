"""The ids that families give to SentencePiece's pieces, and to the tokens that are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .languages import M2M100_LANGUAGES, MBART50_LANGUAGES, MBART_LANGUAGES

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")

MODELS = {
    "T5Tokenizer": "spiece.model",
    "PegasusTokenizer": "spiece.model",
    "MBartTokenizer": "sentencepiece.bpe.model",
    "MBart50Tokenizer": "sentencepiece.bpe.model",
}
"""Where the pieces are of tokenizers whose ids follow from them."""


def from_pieces(kind: str, pieces: Sequence[str], settings: dict[str, Any]) -> tuple[dict[str, int], set[str]]:
    """The ids of a tokenizer among :data:`MODELS`, and its special tokens.

    Args:
        pieces: those of the SentencePiece model, by its own ids.
        settings: the content of ``tokenizer_config.json``.
    """
    if kind == "T5Tokenizer":
        before, after = [], [f"<extra_id_{i}>" for i in reversed(range(settings.get("extra_ids", 100)))]
        pieces = list(pieces)
    elif kind == "PegasusTokenizer":
        before = ["<pad>", "</s>", "<mask_1>", "<mask_2>"]
        before += [f"<unk_{i}>" for i in range(2, settings.get("offset", 103))]
        pieces, after = pieces[2:], []
    else:
        languages = MBART50_LANGUAGES if kind == "MBart50Tokenizer" else MBART_LANGUAGES
        before, pieces, after = list(SPECIAL), pieces[3:], [*languages.split(), "<mask>"]
    ids = {token: i for i, token in enumerate([*before, *pieces, *after])}
    return ids, {*SPECIAL, *before, *after}


def of_m2m100(vocabulary: dict[str, int], settings: dict[str, Any]) -> tuple[dict[str, int], set[str]]:
    """The ids of M2M100's tokenizer, and its special tokens; ``vocabulary``: the content of ``vocab.json``."""
    languages = M2M100_LANGUAGES[settings.get("language_codes", "m2m100")].split()
    codes = {f"__{language}__": len(vocabulary) + i for i, language in enumerate(languages)}
    return vocabulary | codes, {*SPECIAL, *codes}
