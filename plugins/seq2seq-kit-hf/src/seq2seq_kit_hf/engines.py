"""What cuts texts into tokens: Hugging Face's tokenizers, or SentencePiece with a vocabulary of its own beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from seq2seq_kit import UserError

from .vocabularies import MODELS, from_pieces, of_m2m100

Files = Mapping[str, bytes]
"""The small files of a checkpoint by name."""


class Engine(Protocol):
    """A tokenizer without the special tokens that stand around a text."""

    size: int
    """How many ids it knows; a model's vocabulary may be larger."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text, without special tokens."""
        ...

    def token(self, index: int) -> str | None: ...

    def id(self, token: str) -> int | None: ...


class FastEngine:
    """A ``tokenizer.json`` of Hugging Face's tokenizers.

    As there, a special token that a text spells (``<extra_id_0>``, ``<mask>``) is that token.
    """

    def __init__(self, text: str) -> None:
        from tokenizers import Tokenizer

        self._backend = Tokenizer.from_str(text)
        self._backend.no_truncation()
        self._backend.no_padding()
        self.size: int = self._backend.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._backend.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self._backend.decode(list(ids), skip_special_tokens=True)
        return text

    def token(self, index: int) -> str | None:
        token: str | None = self._backend.id_to_token(index)
        return token

    def around(self) -> list[int]:
        """What it puts around a text, that is what it makes of an empty one."""
        ids: list[int] = self._backend.encode("").ids
        return ids

    def id(self, token: str) -> int | None:
        index: int | None = self._backend.token_to_id(token)
        return index


class PieceEngine:
    """SentencePiece's pieces, by the ids that a vocabulary gives them.

    Args:
        model: of SentencePiece.
        vocabulary: the id of each piece, and of tokens that are no pieces: special ones, codes of languages.
        special: the tokens that belong to no text.
        language_codes: a text may begin with ``>>code<<`` (Marian).
    """

    def __init__(
        self, model: bytes, vocabulary: Mapping[str, int], special: set[str], *, language_codes: bool = False
    ) -> None:
        from sentencepiece import SentencePieceProcessor

        self._pieces = SentencePieceProcessor(model_proto=model)
        self._ids, self._special, self._language_codes = vocabulary, special, language_codes
        self._unknown = vocabulary["<unk>"]
        self.size = max(vocabulary.values()) + 1

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        tokens = (self._tokens.get(i, "<unk>") for i in ids)
        text: str = self._pieces.decode_pieces([token for token in tokens if token not in self._special])
        return text.replace("▁", " ").strip()

    def token(self, index: int) -> str | None:
        return self._tokens.get(index)

    def id(self, token: str) -> int | None:
        return self._ids.get(token)

    def _encode(self, text: str) -> list[int]:
        code, end = "", text.find("<<") + 2
        if self._language_codes and text.startswith(">>") and end >= 2:
            code, text = text[:end], text[end:]
        pieces = [*([code] if code else []), *self._pieces.encode(text, out_type=str)]
        return [self._ids.get(piece, self._unknown) for piece in pieces]

    @cached_property
    def _tokens(self) -> dict[int, str]:
        return {index: token for token, index in self._ids.items()}


def engine_of(kind: str, side: str, files: Files, where: str) -> Engine:
    """The engine of a checkpoint.

    Args:
        kind: the class of its tokenizer in transformers.
        side: ``source`` or ``target``: Marian has one for each.
        where: the checkpoint, for messages.
    """
    if kind == "MarianTokenizer":
        separate = side == "target" and "target_vocab.json" in files
        vocabulary = _json(files, "target_vocab.json" if separate else "vocab.json", where)
        model = _file(files, f"{side}.spm", where)
        return PieceEngine(model, vocabulary, {"</s>", "<pad>", "<unk>"}, language_codes=True)
    settings = _json(files, "tokenizer_config.json", where) if "tokenizer_config.json" in files else {}
    if kind == "M2M100Tokenizer":
        ids, special = of_m2m100(_json(files, "vocab.json", where), settings)
        return PieceEngine(_file(files, "sentencepiece.bpe.model", where), ids, special)
    if "tokenizer.json" not in files and MODELS.get(kind) in files:
        model = files[MODELS[kind]]
        return PieceEngine(model, *from_pieces(kind, _pieces(model), settings))
    return FastEngine(_file(files, "tokenizer.json", where).decode())


def _pieces(model: bytes) -> list[str]:
    """The pieces of a SentencePiece model, by their ids."""
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(i) for i in range(len(processor))]


def _json(files: Files, name: str, where: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(_file(files, name, where))
    except ValueError as error:
        raise UserError(f"{where}: {name} cannot be read as JSON: {error}") from None
    return values


def _file(files: Files, name: str, where: str) -> bytes:
    if name not in files:
        hint = ""
        if name == "tokenizer.json":
            hint = ": write it with transformers' AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
        raise UserError(f"{where}: its tokenizer needs {name}, which is not there{hint}")
    return files[name]
