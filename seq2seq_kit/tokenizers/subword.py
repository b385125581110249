"""What ``bpe`` and ``unigram`` share: how text is cut before subwords are learnt, characters kept, bytes in reserve."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field
from tokenizers import Regex, decoders, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from seq2seq_kit.errors import ConfigError
from seq2seq_kit.tokenizers.base import SPECIALS, BackedTokenizer, TokenizerConfig

SPACE = "▁"
"""A space before what follows, as in SentencePiece (Kudo and Richardson 2018)."""

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


class SubwordConfig(TokenizerConfig):
    """What both subword tokenizers can be told."""

    vocab_size: int = Field(default=8000, gt=len(SPECIALS))
    """At most so many entries, the four special tokens included; a small corpus gives fewer."""
    character_coverage: float = Field(default=1.0, gt=0, le=1)
    """The share of the training text's characters to keep; the rarest beyond it are unknown (or bytes)."""
    byte_fallback: bool = False
    """Write an unknown character as its UTF-8 bytes, which takes 256 entries; nothing is unknown then."""


class SubwordTokenizer(BackedTokenizer):
    """Base of the subword tokenizers.

    Decoding gives the text back but for white space at its ends, and runs of it, which become one space; no-break
    spaces are characters like others, and ``▁`` becomes ``_``.
    """

    config: Any
    pieces: str
    """A regular expression: what text is cut into, ``▁`` for spaces, before subwords are learnt or found."""

    def _prepare(self, backend: Backend) -> None:
        """Set all of a backend but its model."""
        backend.normalizer = normalizers.Sequence(
            [
                *([normalizers.Lowercase()] if self.config.lowercase else []),
                normalizers.NFC(),
                normalizers.Replace(SPACE, "_"),
                normalizers.Replace(Regex(r"[ \t\n\r\f\v]+"), " "),
                normalizers.Strip(),
            ]
        )
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Metaspace(SPACE, prepend_scheme="always", split=False),
                pre_tokenizers.Split(Regex(self.pieces), "isolated"),
            ]
        )
        backend.decoder = decoders.Sequence(
            [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )

    def _reserved(self) -> list[str]:
        """The entries that are not learnt."""
        return [*SPECIALS, *(BYTES if self.config.byte_fallback else [])]

    def _covered(self, backend: Backend, texts: Iterable[str]) -> tuple[Iterator[str], list[str]]:
        """The texts with a space for each character that is too rare, and the characters kept.

        Raises:
            ConfigError: ``vocab_size`` is too small for the characters alone.
        """
        normalize = backend.normalizer.normalize_str
        counts = Counter[str]()
        for text in texts:
            counts.update(normalize(text))
        del counts[" "]
        kept, seen, enough = [SPACE], 0, self.config.character_coverage * counts.total()
        for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            if seen < enough:
                kept.append(character)
            seen += count
        needed = len(self._reserved()) + len(kept) + 1
        if needed > self.config.vocab_size:
            raise ConfigError(
                f"vocab_size {self.config.vocab_size} is too small for the tokenizer {self.config.name!r}: it takes at "
                f"least {needed} for {len(self._reserved())} reserved entries, the {len(kept)} characters of the text "
                "and one subword (character_coverage leaves out rare characters)"
            )
        rare = dict.fromkeys((ord(character) for character in counts.keys() - set(kept)), " ")
        return (normalize(text).translate(rare) for text in texts), kept

    def _finished(self, backend: Backend, vocabulary: Any) -> Backend:
        """The trained backend with another form of its vocabulary, and with bytes as ordinary entries."""
        state = json.loads(backend.to_str())
        state["model"]["vocab"] = vocabulary
        state["model"]["byte_fallback"] = self.config.byte_fallback
        state["added_tokens"] = [entry for entry in state["added_tokens"] if entry["content"] in SPECIALS]
        return Backend.from_str(json.dumps(state))

    def _join(self, tokens: list[str]) -> str:
        text: str = self._trained().decoder.decode(tokens)
        return text
