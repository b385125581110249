"""The tokenizer of a checkpoint, as it is: the same ids that transformers gives."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from seq2seq_kit import ComponentConfig, DataError, UserError
from seq2seq_kit import Tokenizer as Base

from .engines import FastEngine, engine_of
from .families import family_of
from .files import CONFIG, GENERATION, SMALL, folder_of
from .languages import CODES, KNOWN, TOKENIZERS, Surroundings, surroundings

NOT_OURS = "index.json"
"""What the names of files of weights end with."""

Language = Annotated[str | None, BeforeValidator(lambda value: "no" if value is False else value)]
"""A language's code. YAML reads Norwegian's as false."""


class HFTokenizerConfig(ComponentConfig):
    """The tokenizer of a checkpoint of transformers'."""

    name: str = "hf"
    source: str
    """The checkpoint: a folder, or ``hf:OWNER/NAME`` on the hub."""
    side: Literal["source", "target"]
    """Whether it reads sources or targets: some begin and end in other ways, or have other vocabularies."""
    language: Language = None
    """The code of the language that it reads, for a model of several; default: as the checkpoint says."""
    text_prefix: str = ""
    """What each text is preceded by, such as T5's ``"translate English to German: "`` and Marian's ``">>fra<< "``."""


class HFTokenizer(Base):
    """Takes a checkpoint's tokenizer, so that there is nothing to learn.

    What is saved is one JSON file with the small files of the checkpoint in it: text as text, others in base64.
    """

    def __init__(self, config: HFTokenizerConfig) -> None:
        self.config = config
        self.files: dict[str, bytes] = {}
        self.language_code: int | None = None

    def train(self, texts: Iterable[str]) -> None:
        """Read the checkpoint's files. ``texts`` is not looked at.

        Raises:
            UserError: a file is missing or damaged, the language is none of the model's.
        """
        folder = folder_of(self.config.source, *SMALL)
        paths = sorted({path for pattern in SMALL for path in folder.glob(pattern) if path.is_file()})
        self._adopt({path.name: path.read_bytes() for path in paths if not path.name.endswith(NOT_OURS)})

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without what stands around it; raises :class:`DataError` where one is not valid Unicode."""
        before = self.config.text_prefix
        return self._engine.encode([before + _unicode(text) for text in texts])

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``, special tokens dropped."""
        text = self._engine.decode([i for i in ids if i < self._engine.size])
        return _clean(text) if self._cleans_up else text

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would read it; one that the vocabulary only has room for as ``<its number>``."""
        return [self._engine.token(i) or f"<{i}>" for i in ids]

    @property
    def suffix(self) -> tuple[int, ...]:
        """What every source ends with: EOS, and the code of the language in some models."""
        return self._around.suffix

    def save(self, path: Path) -> None:
        """Write one JSON file."""
        files = {name: _as_json(content) for name, content in self.files.items()}
        path.write_text(json.dumps({"files": files}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""
        try:
            files = json.loads(path.read_text(encoding="utf-8"))["files"]
            contents = {Path(name).name: _from_json(content) for name, content in files.items()}
        except FileNotFoundError:
            raise UserError(f"{path}: there is no such file: this tokenizer was not saved") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: is damaged, or not a tokenizer of seq2seq-kit-hf: {error}") from None
        self._adopt(contents)

    def json(self, name: str) -> dict[str, Any]:
        """One of the checkpoint's JSON files; empty where it has none of that name."""
        try:
            values: dict[str, Any] = json.loads(self.files.get(name, b"{}"))
        except ValueError as error:
            raise UserError(f"{self.config.source}: {name} cannot be read as JSON: {error}") from None
        return values

    def _adopt(self, files: dict[str, bytes]) -> None:
        self.files = files
        where, side = self.config.source, self.config.side
        _, config = family_of(self.json(CONFIG), f"{where}: {CONFIG}")
        generation = {name: value for name, value in self.json(GENERATION).items() if value is not None}
        ids = {**config, **generation}
        settings = self.json("tokenizer_config.json")
        kind = str(settings.get("tokenizer_class") or TOKENIZERS[config["model_type"]]).removesuffix("Fast")
        self._cleans_up = bool(settings.get("clean_up_tokenization_spaces"))
        self._engine = engine_of(kind, side, files, where)
        self.vocab_size = config["vocab_size"]
        if side == "target":
            self.vocab_size = config.get("decoder_vocab_size") or self.vocab_size
        ends = ids["eos_token_id"]
        self.pad_id, self.eos_id = ids["pad_token_id"], ends[0] if isinstance(ends, list) else ends
        self.unk_id = self._id("<unk>")
        self.language_code = self._code(kind, settings, ids)
        bos = ids.get("bos_token_id", self.eos_id)
        start = ids.get("decoder_start_token_id", bos)
        legacy = bool(settings.get("legacy_behaviour"))
        if kind in KNOWN:
            around = surroundings(kind, side, self.language_code, legacy=legacy, bos=bos, eos=self.eos_id, start=start)
        else:
            around = Surroundings(self._before_eos(kind), (self.eos_id,), start)
        self._around, self.prefix, self.bos_id = around, around.prefix, around.start

    def _before_eos(self, kind: str) -> tuple[int, ...]:
        """What another tokenizer puts before a text, as its ``tokenizer.json`` says; after it there has to be EOS."""
        ids = self._engine.around() if isinstance(self._engine, FastEngine) else []
        if ids[-1:] != [self.eos_id]:
            raise UserError(f"{self.config.source}: its {kind} does not end texts with EOS: that is not supported")
        return tuple(ids[:-1])

    def _code(self, kind: str, settings: dict[str, Any], ids: dict[str, Any]) -> int | None:
        """The id of the language's code, for models that have one."""
        if kind not in CODES:
            if self.config.language is not None:
                raise UserError(
                    f"{self.config.source}: its {kind} has no languages to choose from (what stands before a text, "
                    "such as '>>fra<< ' or 'translate English to German: ', is text_prefix)"
                )
            return None
        side, (place, token) = self.config.side, CODES[kind]
        language = self.config.language or settings.get("src_lang" if side == "source" else "tgt_lang")
        if language is not None:
            return self._id(token.format(language))
        written: int | None = ids.get("decoder_start_token_id" if place == "after" else "forced_bos_token_id")
        if side == "source" or written is None:
            raise UserError(f"{self.config.source}: is of several languages: say which its {side}s are in")
        return written

    def _id(self, token: str) -> int:
        found = self._engine.id(token)
        if found is None:
            raise UserError(f"{self.config.source}: its tokenizer has no token {token!r}")
        return found


def _unicode(text: str) -> str:
    """The text, if it is one: neither something else nor with half of a surrogate pair in it."""
    try:
        text.encode("utf-8")
    except (UnicodeEncodeError, AttributeError):
        raise DataError(f"a tokenizer takes text of valid Unicode, got {text!r}") from None
    return text


def _as_json(content: bytes) -> Any:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def _from_json(content: Any) -> bytes:
    return content.encode() if isinstance(content, str) else base64.b64decode(content["base64"])


_CLEAN = [(f" {mark}", mark) for mark in ".?!,"] + [(" ' ", "'")]
_CLEAN += [(f" {end}", end) for end in ("n't", "'m", "'s", "'ve", "'re")]


def _clean(text: str) -> str:
    """``clean_up_tokenization`` of transformers."""
    for found, replacement in _CLEAN:
        text = text.replace(found, replacement)
    return text
