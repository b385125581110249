"""What an example asks of its output, in words, as the token ids that a search takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq_kit.decoding.constraints import trie
from seq2seq_kit.decoding.inputs import Constraint, SentenceInput, TokenSequence
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import EncodedExample, Example, Task

WISHES = ("prefix", "constraints", "banned", "choices")
"""The entries of ``Example.extras`` that are read here, and the fields of JSONL input:

- ``prefix``: a text with which the output must start;
- ``constraints``: phrases that must appear, each a text, or a list of texts of which one must;
- ``banned``: phrases that must not appear;
- ``choices``: the texts of which the output must be one.

For a task without a source, ``Example.source`` is the ``prefix`` where none is given."""


def sentence_inputs(
    task: Task, examples: Sequence[Example], encoded: Sequence[EncodedExample], first: int
) -> list[SentenceInput]:
    """One input for each example; the first is number ``first`` of its stream, and each one's key is its number.

    A phrase is tokenized as if it stood alone: it begins where a word begins, and a prefix ends where a token ends.

    Raises:
        DataError: an entry is not what :data:`WISHES` says, or a phrase has words that the target vocabulary lacks (one
            that must not appear cannot then: it is passed over).
    """
    return [
        _sentence_input(task, example, ids, first + i)
        for i, (example, ids) in enumerate(zip(examples, encoded, strict=True))
    ]


def check_wishes(task: Task, example: Example) -> None:
    """Raise what :func:`sentence_inputs` would raise for this example."""
    if task.source_spec is None or any(example.extras.get(name) for name in WISHES):
        phrases = _Phrases(task, example)
        phrases.one("prefix")
        phrases.several("choices", first=True)
        phrases.constraints()
        phrases.several("banned", unknown=True)


def _sentence_input(task: Task, example: Example, encoded: EncodedExample, key: int) -> SentenceInput:
    phrases = _Phrases(task, example)
    choices = phrases.several("choices", first=True)
    return SentenceInput(
        source_length=encoded.source_length,
        source=tuple(t for t in encoded.source if t != task.target_spec.eos_id) if task.shared_vocabulary else (),
        prefix=phrases.one("prefix"),
        constraints=phrases.constraints(),
        banned=phrases.several("banned", unknown=True),
        automaton=trie(choices) if choices else None,
        key=key,
    )


class _Phrases:
    """The phrases among the extras of one example, as ids."""

    def __init__(self, task: Task, example: Example) -> None:
        self._task = task
        self._extras = example.extras
        if task.source_spec is None and not example.extras.get("prefix"):
            self._extras = {**example.extras, "prefix": example.source}
        self._where = "" if example.id is None else f"example {example.id}: "

    def one(self, name: str) -> TokenSequence:
        text = self._extras.get(name)
        if not text:
            return ()
        return self._ids(name, [text], first=True)[0]

    def several(self, name: str, **how: bool) -> list[TokenSequence]:
        """``how``: see :meth:`_ids`."""
        texts = self._extras.get(name)
        return self._ids(name, self._list(name, texts), **how) if texts else []

    def constraints(self) -> list[Constraint]:
        given = self._extras.get("constraints")
        if not given:
            return []
        alternatives = [[c] if isinstance(c, str) else c for c in self._list("constraints", given)]
        return [self._ids("constraints", self._list("constraints", texts)) for texts in alternatives]

    def _list(self, name: str, value: Any) -> list[Any]:
        if not isinstance(value, (list, tuple)):
            raise DataError(f"{self._where}{name} = {value!r}: must be a list of texts")
        return list(value)

    def _ids(self, name: str, texts: list[Any], *, first: bool = False, unknown: bool = False) -> list[TokenSequence]:
        """``first``: outputs begin with them; ``unknown``: pass over phrases with unknown words."""
        before = len(self._task.target_prefix)
        for text in texts:
            if not isinstance(text, str):
                raise DataError(f"{self._where}{name} has {text!r}, which is no text")
        found = []
        for text, encoded in zip(texts, self._task.encode([Example("", text) for text in texts]), strict=True):
            ids = tuple((encoded.target or [])[:-1])  # without EOS
            if len(ids) == before:
                raise DataError(f"{self._where}{name} has {text!r}, which holds no word")
            if self._task.target_spec.unk_id not in ids:
                found.append(ids if first else ids[before:])
            elif not unknown:
                raise DataError(f"{self._where}{name} has {text!r}: the target vocabulary lacks a word of it")
        return found
