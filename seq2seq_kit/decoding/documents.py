"""Documents: blank lines stay blank, and long paragraphs are decoded a sentence at a time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Example, Output

UNREADABLE = "unreadable"
"""An entry of ``Example.extras``: the example stands for input that could not be read, and its output is empty."""

_LONGEST = 30
"""Characters before a full stop that are looked at."""
_OPENING, _CLOSING = "\"'“‘«([¿¡", "\"'”’»)]"
_END = re.compile(rf"[.!?…][{re.escape(_CLOSING)}]*\s+|[。！？]")
_ABBREVIATIONS = {
    *("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "no", "fig", "inc", "ltd", "co", "etc"),
    *("mme", "mlle", "hr", "fr", "nr", "bzw", "ca", "usw"),
}
"""What a full stop may follow within a sentence, in a few languages; initials and *e.g.* are known by their form."""


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph, white space at their ends dropped; none of a blank one.

    By rules that need no language: a sentence ends where ``.``, ``!``, ``?`` or ``…`` is followed by white space and by
    a letter or digit that is not lower-case, unless the full stop belongs to an initial or to one of a few common
    abbreviations (*Dr.*, *e.g.*); and after ``。``, ``！`` or ``？``. Quotation marks and brackets may stand between.
    """
    sentences: list[str] = []
    start = 0
    for end in _END.finditer(text):
        here = end[0] in "。！？" or (
            _may_begin(text, end.end()) and not _abbreviated(text[max(start, end.start() - _LONGEST) : end.start() + 1])
        )
        if here:
            sentences.append(text[start : end.end()].strip())
            start = end.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def _may_begin(text: str, start: int) -> bool:
    """May a sentence begin there?"""
    first = text[start : start + 8].lstrip(_OPENING)[:1]
    return first.isalnum() and not first.islower()


def _abbreviated(text: str) -> bool:
    """Does the text end with an abbreviation?"""
    word = text.rsplit(maxsplit=1)[-1].lstrip(_OPENING)
    stem = word.removesuffix(".")
    by_form = (len(stem) == 1 and stem.isalpha()) or re.fullmatch(r"(\w\.)+\w", stem) is not None
    return stem != word and (by_form or stem.lower() in _ABBREVIATIONS)


def by_parts(
    examples: Iterable[Example],
    split: Callable[[Example], list[Example]],
    decode: Callable[[Iterator[Example]], Generator[Output, None, None]],
) -> Generator[Output, None, None]:
    """One output for each example, in order: that of one with several parts is joined from theirs, and one without any
    has an empty output.

    Args:
        split: the parts of an example.
        decode: gives an output for each of the parts of all examples, in order.

    Raises:
        UserError: an output is to begin with a prefix, to contain something or to be one of several choices, and it
            would be made of parts.
    """
    waiting: deque[int] = deque()  # of each example that was read and not answered, how many parts it has

    def parts() -> Iterator[Example]:
        for example in examples:
            own = split(example)
            wish = next((name for name in ("prefix", "constraints", "choices") if example.extras.get(name)), None)
            if wish and len(own) > 1:
                raise UserError(f"{wish}: is said of one output, and this source is split into {len(own)} sentences")
            waiting.append(len(own))
            yield from own

    found: list[Output] = []
    with closing(decode(parts())) as outputs:
        try:
            for output in outputs:
                yield from _nothing_for(waiting)
                found.append(output)
                if len(found) == waiting[0]:
                    waiting.popleft()
                    yield _joined(found)
                    found = []
        except UserError:  # what was read before the error has its answers
            yield from _nothing_for(waiting)
            raise
    yield from _nothing_for(waiting)


def _nothing_for(waiting: deque[int]) -> Iterator[Output]:
    """The outputs of the first examples, as long as they have no parts; they wait no longer."""
    while waiting and waiting[0] == 0:
        waiting.popleft()
        yield Output("", float("-inf"))


def _joined(outputs: list[Output]) -> Output:
    """The output of a source from those of its sentences: texts with a space between, scores added up; the attention
    of one sentence says nothing of the others, and is left out."""
    if len(outputs) == 1:
        return outputs[0]
    return Output(
        " ".join(output.text for output in outputs if output.text),
        sum(output.score for output in outputs),
        [token for output in outputs for token in output.tokens],
        [score for output in outputs for score in output.token_scores],
        [token for output in outputs for token in output.source_tokens],
        finish=next((output.finish for output in outputs if output.finish != "eos"), "eos"),
        unmet=sorted({number for output in outputs for number in output.unmet}),
    )
