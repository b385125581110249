"""Does a tokenizer keep what :class:`seq2seq_kit.Tokenizer` promises: ids in its vocabulary, and the text back?"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Tokenizer
from seq2seq_kit.testing.checks import Check, refuse_unknown, run_checks
from seq2seq_kit.testing.report import Fault, Report
from seq2seq_kit.testing.texts import TEXTS, refuse_pickles, same_text

_SPECIAL = ("pad_id", "bos_id", "eos_id")
_UNSEEN = "日本 ☂"
"""Characters that the texts do not have."""


@dataclass(frozen=True)
class _Probe:
    """A tokenizer as it is built, the same one trained, and what it is trained on."""

    fresh: Tokenizer
    trained: Tokenizer
    texts: Sequence[str]

    def ids(self) -> list[list[int]]:
        return self.trained.encode(self.texts)


def check_tokenizer(tokenizer: Tokenizer, texts: Sequence[str] = TEXTS, *, skip: Collection[str] = ()) -> Report:
    """Check the contract of a tokenizer.

    ::

        def test_my_tokenizer_keeps_the_contract():
            check_tokenizer(MyTokenizer(MyConfig()))

    It works on copies: the tokenizer itself stays untrained.

    Args:
        tokenizer: as it is built, neither trained nor loaded.
        texts: what to train it on, and to see again; default: a few short sentences. They come back equal but for
            case, Unicode's composition and the amount of white space.
        skip: names of checks to leave out; ``round_trip`` for a tokenizer that loses text by design.

    Returns: what was checked, when no fault was found. ``print`` shows it.

    Raises:
        ContractError: faults were found; the message has one sentence each. It is an ``AssertionError``.
        UserError: the arguments are unusable, or the tokenizer cannot be trained on the texts.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise UserError(f"check_tokenizer is given a {type(tokenizer).__name__}; it checks a seq2seq_kit.Tokenizer")
    if isinstance(texts, str) or not any(texts):
        raise UserError("texts holds no text: give a list of sentences")
    refuse_unknown(skip, TOKENIZER_CHECKS)
    probe = _Probe(copy.deepcopy(tokenizer), copy.deepcopy(tokenizer), list(texts))
    return run_checks(type(tokenizer).__name__, TOKENIZER_CHECKS, probe, skip)


def _check_train(probe: _Probe) -> None:
    probe.trained.train(iter(probe.texts))
    size = getattr(probe.trained, "vocab_size", None)
    if type(size) is not int or size < 1:
        raise Fault(f"after train, vocab_size is {size!r}; it must be the number of ids, a whole number above 0")
    for name in (*_SPECIAL, "unk_id"):
        value = getattr(probe.trained, name)
        if type(value) is not int or not 0 <= value < size:
            raise Fault(f"{name} is {value!r}; it must be an id below vocab_size = {size}")


def _check_ids(probe: _Probe) -> None:
    ids = probe.ids()
    if not isinstance(ids, list) or len(ids) != len(probe.texts):
        what = len(ids) if isinstance(ids, list) else type(ids).__name__
        raise Fault(
            f"encode gives {what} for {len(probe.texts)} texts; it must be a list with one list of ids for each"
        )
    ends = {getattr(probe.trained, name): name for name in _SPECIAL}
    for text, own in zip(probe.texts, ids, strict=True):
        if not isinstance(own, list) or any(type(i) is not int for i in own):
            raise Fault(f"encode gives {own!r} for {text!r}; it must be a list of whole numbers")
        outside = [i for i in own if not 0 <= i < probe.trained.vocab_size]
        if outside:
            raise Fault(f"encode gives id {outside[0]} for {text!r}; vocab_size is {probe.trained.vocab_size}")
        special = [ends[i] for i in own if i in ends]
        if special:
            raise Fault(f"encode gives {special[0]} in {text!r}; what stands around a text is put there by the task")


def _check_deterministic(probe: _Probe) -> None:
    again = copy.deepcopy(probe.fresh)
    again.train(list(probe.texts))
    for what, found in (("encoded again", probe.ids()), ("trained again on the same texts", again.encode(probe.texts))):
        different = [text for text, a, b in zip(probe.texts, found, probe.ids(), strict=True) if a != b]
        if different:
            raise Fault(f"{what}, {different[0]!r} has other ids; the same texts must give the same vocabulary and ids")


def _check_batch(probe: _Probe) -> None:
    for text, ids in zip(probe.texts, probe.ids(), strict=True):
        [alone] = probe.trained.encode([text])
        if alone != ids:
            raise Fault(f"{text!r} has the ids {alone} alone and {ids} among others; a text may depend on itself alone")


def _check_round_trip(probe: _Probe) -> None:
    for text, ids in zip(probe.texts, probe.ids(), strict=True):
        found = probe.trained.decode(ids)
        if not isinstance(found, str):
            raise Fault(f"decode gives a {type(found).__name__}, not a text")
        if not same_text(found, text):
            raise Fault(f"{text!r} is {found!r} when it is encoded and decoded; decode must give back what was encoded")


def _check_empty(probe: _Probe) -> None:
    [ids] = probe.trained.encode([""])
    if probe.trained.decode(ids).strip():
        raise Fault(f"an empty text is {probe.trained.decode(ids)!r} when it is encoded and decoded")
    if probe.trained.encode([]):
        raise Fault("encode gives ids for no text at all")
    if probe.trained.decode([]).strip():
        raise Fault(f"decode makes {probe.trained.decode([])!r} of no ids")


def _check_unknown(probe: _Probe) -> None:
    [ids] = probe.trained.encode([f"{probe.texts[0]} {_UNSEEN}"])
    outside = [i for i in ids if not 0 <= i < probe.trained.vocab_size]
    if outside:
        raise Fault(f"characters that were not trained on get id {outside[0]}; use unk_id")
    if not isinstance(probe.trained.decode([probe.trained.unk_id]), str):
        raise Fault("decode of unk_id is not a text")


def _check_special(probe: _Probe) -> None:
    """Special ids are dropped in decoding, and cannot be typed."""
    tokenizer, [ids] = probe.trained, probe.trained.encode(probe.texts[:1])
    around = [tokenizer.bos_id, *ids, tokenizer.eos_id, tokenizer.pad_id, tokenizer.pad_id]
    if tokenizer.decode(around) != tokenizer.decode(ids):
        raise Fault(
            f"decode gives {tokenizer.decode(around)!r} with BOS, EOS and padding around the ids of "
            f"{tokenizer.decode(ids)!r}; they must be dropped"
        )
    for name in _SPECIAL:
        shown = tokenizer.tokens([getattr(tokenizer, name)])[0]
        if shown and getattr(tokenizer, name) in tokenizer.encode([f"{probe.texts[0]} {shown}"])[0]:
            raise Fault(f"the text {shown!r} is encoded as {name}; what users type must never be a special id")


def _check_tokens(probe: _Probe) -> None:
    every = range(probe.trained.vocab_size)
    shown = probe.trained.tokens(list(every))
    if len(shown) != len(every) or not all(isinstance(token, str) for token in shown):
        raise Fault(f"tokens gives {len(shown)} entries for {len(every)} ids; it must be one text for each id")


def _check_save(probe: _Probe) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tokenizer.json")
        probe.trained.save(path)
        files = [file.name for file in Path(folder).iterdir()]
        if files != [path.name]:
            raise Fault(f"save writes {files or 'nothing'}; it must write the one file that it is told")
        refuse_pickles(path)
        loaded = copy.deepcopy(probe.fresh)
        loaded.load(path)
    if loaded.vocab_size != probe.trained.vocab_size:
        raise Fault(f"loaded, vocab_size is {loaded.vocab_size} in place of {probe.trained.vocab_size}")
    for name in (*_SPECIAL, "unk_id", "prefix", "suffix"):
        found, expected = getattr(loaded, name), getattr(probe.trained, name)
        if found != expected:
            raise Fault(f"loaded, {name} is {found!r} in place of {expected!r}; save must keep it")
    for text, ids in zip(probe.texts, probe.ids(), strict=True):
        if loaded.encode([text]) != [ids] or loaded.decode(ids) != probe.trained.decode(ids):
            raise Fault(
                f"saved and loaded, it reads or writes {text!r} in another way; save must keep all that is learnt"
            )


TOKENIZER_CHECKS = (
    Check("train", "it learns from texts that are read once, and has a vocabulary with its special ids", _check_train),
    Check("ids", "encode gives ids of the vocabulary, none of them special", _check_ids, ("train",)),
    Check("deterministic", "the same texts give the same vocabulary and ids", _check_deterministic, ("ids",)),
    Check("batch", "a text is encoded alike alone and among others", _check_batch, ("deterministic",)),
    Check("round_trip", "decode gives back what was encoded", _check_round_trip, ("batch",)),
    Check("empty", "an empty text is one", _check_empty, ("ids",)),
    Check("unknown", "what was never seen has ids too", _check_unknown, ("ids",)),
    Check("special", "special ids are dropped in decoding and cannot be typed", _check_special, ("round_trip",)),
    Check("tokens", "each id can be shown", _check_tokens, ("ids",)),
    Check("save", "saved and loaded, it reads and writes the same", _check_save, ("deterministic",)),
)
