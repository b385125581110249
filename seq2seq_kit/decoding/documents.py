"""Documents: blank lines stay blank, and long paragraphs are decoded a sentence at a time."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Example, Output

# A sentence ends with . ! ? or …, closing quotes and brackets, and white space before what can begin another one; or
# with an ideographic full stop, which needs no space.
_END = re.compile(r"""(?<=[.!?…])["'”’»)\]]*\s+(?=["'“‘«(\[¿¡]*[^\W_a-zà-öø-ÿа-я])|(?<=[。！？])(?=.)""")
_ABBREVIATION = re.compile(
    r"""(?:^|[\s("'“«])(?:\w|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|Nr|Fig|Inc|Ltd|Co|Mme|Mlle|M|Hr|Fr|bzw|ca|usw|
    (?:\w\.)+\w)\.$""",
    re.VERBOSE,
)
"""What a full stop may stand after within a sentence: initials, titles and the like, of a few languages."""


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph, white space at their ends dropped; none of a blank one.

    By rules that need no language: a sentence ends where ``.``, ``!``, ``?`` or ``…`` is followed by white space and by
    something that is not a lower-case letter, unless the full stop belongs to an initial or to one of a few common
    abbreviations (*Dr.*, *e.g.*); and after ``。``, ``！`` or ``？``.
    """
    sentences: list[str] = []
    start = 0
    for end in _END.finditer(text):
        sentence = text[start : end.end()].strip()
        if not _ABBREVIATION.search(sentence):
            sentences.append(sentence)
            start = end.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def by_parts(
    examples: Iterable[Example],
    decode: Callable[[Iterator[Example]], Iterator[Output]],
    split: Callable[[Example], list[Example]] | None = None,
) -> Generator[Output, None, None]:
    """One output for each example, in order: an empty one for a blank source, which is not decoded; and with
    ``split``, that of a source of several parts joined from theirs.

    Args:
        decode: gives an output for each of the examples that are left, in order.
        split: the parts of an example.

    Raises:
        UserError: an output is to begin with a prefix, to contain something or to be one of several choices, and it
            would be made of parts.
    """
    waiting: deque[tuple[Example, int]] = deque()  # examples that were read and not answered, and their parts

    def parts() -> Iterator[Example]:
        for example in examples:
            own = [] if not example.source.strip() else [example] if split is None else split(example)
            wish = next((name for name in ("prefix", "constraints", "choices") if example.extras.get(name)), None)
            if wish and len(own) > 1:
                raise UserError(f"{wish}: is said of one output, and this source is split into {len(own)} sentences")
            waiting.append((example, len(own)))
            yield from own

    outputs = decode(parts())
    found: list[Output] = []
    try:
        for output in outputs:
            while waiting[0][1] == 0:
                waiting.popleft()
                yield _nothing()
            found.append(output)
            if len(found) == waiting[0][1]:
                waiting.popleft()
                yield _joined(found)
                found = []
    except UserError:  # what was read stopped: blank sources before that have their answers too
        yield from (_nothing() for _, parts_of in _leading_blanks(waiting))
        raise
    yield from (_nothing() for _ in waiting)


def _leading_blanks(waiting: deque[tuple[Example, int]]) -> Iterator[tuple[Example, int]]:
    while waiting and waiting[0][1] == 0:
        yield waiting.popleft()


def _nothing() -> Output:
    """The output of a blank source."""
    return Output("", float("-inf"))


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
