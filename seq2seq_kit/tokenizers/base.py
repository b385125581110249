"""What all built-in tokenizers share: a Hugging Face ``tokenizers`` object, trained, saved and loaded here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.errors import CheckpointError, DataError
from seq2seq_kit.interfaces import Tokenizer

SPECIALS = ["<pad>", "<s>", "</s>", "<unk>"]
"""The first four of every vocabulary. None of them can be typed: in a text they are ordinary characters."""


class TokenizerConfig(ComponentConfig):
    """What all built-in tokenizers can be told."""

    lowercase: bool = False
    """Lower-case all text; what was lower-cased stays so in the output."""


class BackedTokenizer(Tokenizer):
    """Base of the built-in tokenizers. Text is put into Unicode's composed form (NFC) before all else.

    A subclass learns the backend's vocabulary and joins tokens back to text.
    """

    def __init__(self, config: Any) -> None:
        self.config = config
        self._backend: Backend | None = None
        self._vocabulary: list[str] = []

    @abstractmethod
    def _learn(self, texts: Iterable[str]) -> Backend:
        """A trained backend whose first ids are :data:`SPECIALS`; ``texts`` can be iterated over several times."""

    @abstractmethod
    def _join(self, tokens: list[str]) -> str:
        """The text of tokens of the vocabulary; ``<unk>`` may be among them, the other specials are not."""

    def train(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary. The same texts give the same vocabulary, and the same file.

        Args:
            texts: where they can be iterated over several times, they are never all in memory.

        Raises:
            DataError: there is no text, or one that is not valid Unicode.
            ConfigError: the vocabulary would be too small for the characters of the texts.
        """
        if iter(texts) is texts:
            texts = list(texts)
        if not any(text.strip() for text in texts):
            raise DataError(f"the tokenizer {self.config.name!r} has no text to learn from: all of it is empty")
        try:
            self._adopt(self._learn(texts))
        except UnicodeEncodeError:
            raise _not_unicode(texts) from None

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without BOS and EOS; an empty text has none."""
        try:
            backend = self._trained()
            encode = getattr(backend, "encode_batch_fast", backend.encode_batch)  # fast: ids alone; new in 0.20.1
            encodings = encode(list(texts), add_special_tokens=False)
        except (UnicodeEncodeError, TypeError):
            raise _not_unicode(texts) from None
        return [encoding.ids for encoding in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``; pad, BOS and EOS are dropped, unknown is ``<unk>``."""
        dropped = (self.pad_id, self.bos_id, self.eos_id)
        return self._join([self._vocabulary[i] for i in ids if i not in dropped])

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would read it."""
        return [self._vocabulary[i] for i in ids]

    def save(self, path: Path) -> None:
        """Write the backend's JSON, readable by Hugging Face ``tokenizers`` too."""
        path.write_text(self._trained().to_str(pretty=True) + "\n", encoding="utf-8")

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote; raises :class:`CheckpointError` where it is missing or damaged."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise CheckpointError(f"{path}: there is no such file: this tokenizer was not saved") from None
        except OSError as error:
            raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise CheckpointError(f"{path}: is damaged: it is not valid UTF-8") from None
        try:
            backend = Backend.from_str(text)
        except Exception as error:  # the backend raises Exception itself
            raise CheckpointError(f"{path}: is damaged, or not a tokenizer of this kit: {error}") from None
        if [backend.id_to_token(i) for i in range(len(SPECIALS))] != SPECIALS:
            raise CheckpointError(
                f"{path}: is not a tokenizer of this kit: its first ids are not {', '.join(SPECIALS)}"
            )
        self._adopt(backend)

    def _adopt(self, backend: Backend) -> None:
        backend.encode_special_tokens = True  # "</s>" in a text is five characters, never the end of a sentence
        self._backend = backend
        self.vocab_size = backend.get_vocab_size()
        self._vocabulary = [backend.id_to_token(i) or "" for i in range(self.vocab_size)]

    def _trained(self) -> Backend:
        if self._backend is None:
            raise RuntimeError(f"the tokenizer {self.config.name!r} is neither trained nor loaded")
        return self._backend


def _not_unicode(texts: Iterable[Any]) -> DataError:
    """The error that shows the first of ``texts`` that is no text, or that holds half of a surrogate pair."""
    bad: Any = None
    for bad in texts:
        try:
            bad.encode("utf-8")
        except (UnicodeEncodeError, AttributeError):
            break
    return DataError(f"a tokenizer takes text of valid Unicode, got {bad!r}")
