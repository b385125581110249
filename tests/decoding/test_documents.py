"""Documents: sentences by rules, blank lines kept, parts joined, order never lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seq2seq_kit.decoding.documents import by_parts, split_sentences
from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.interfaces import Example, Output


@pytest.mark.parametrize(
    "sentences",
    [
        ["It rains.", "Take an umbrella!", "Really?", "Yes …", "“So be it.”", "(The end.)"],
        ["Dr. Smith met J. R. Hartley at St. Pancras.", "They left at 5 p.m. on Monday, i.e. late."],
        ["Il est là, M. Dupont.", "¿Qué?", "Élan vital."],
        ["Das kostet 3.50 Euro.", "2 sind genug."],
        ["今日は雨です。", "傘を持って！", "はい"],
        ["no full stop at the end"],
        ["see example.com for more."],
    ],
)
def test_sentences_are_found(sentences: list[str]) -> None:
    asian = sentences[0].endswith("。")
    assert split_sentences(("" if asian else " ").join(sentences)) == sentences


def test_a_blank_paragraph_has_no_sentence() -> None:
    assert split_sentences(" \t") == [] == split_sentences("")
    assert split_sentences("A.  B. ") == ["A.  B."]  # initials
    long = "One two. " * 20_000
    assert len(split_sentences(long)) == 20_000


def whole(example: Example) -> list[Example]:
    return [example] if example.source.strip() else []


def parts(example: Example) -> list[Example]:
    return [Example(text) for text in split_sentences(example.source)]


def shout(examples: Iterator[Example]) -> Iterator[Output]:
    """Reads two ahead, as a search that batches does."""
    window = []
    for example in examples:
        window.append(example)
        if len(window) == 2:
            yield from (Output(e.source.upper(), -1.0, [e.source], [-1.0]) for e in window)
            window = []
    yield from (Output(e.source.upper(), -1.0, [e.source], [-1.0]) for e in window)


@pytest.mark.parametrize("split", [whole, parts])
def test_blank_lines_stay_where_they_are(split) -> None:
    lines = ["", "One is. Two are.", "  ", "", "Three.", "Four.", ""]
    outputs = list(by_parts(map(Example, lines), split, shout))
    assert [output.text for output in outputs] == [line.strip().upper() for line in lines]
    joined = outputs[1]
    assert (joined.score, len(joined.tokens)) == ((-2.0, 2) if split is parts else (-1.0, 1))


def test_what_was_read_before_a_bad_line_is_answered() -> None:
    def lines() -> Iterator[Example]:
        yield from map(Example, ["One.", "", ""])
        raise DataError("line 4: is not valid UTF-8")

    def collect(examples: Iterator[Example]) -> Iterator[Output]:  # as a search does: what was read, then the error
        window: list[Example] = []
        try:
            for example in examples:
                window.append(example)
        except DataError:
            yield from (Output(e.source, -1.0) for e in window)
            raise

    found = []
    with pytest.raises(DataError, match="line 4"):
        for output in by_parts(lines(), whole, collect):
            found.append(output.text)
    assert found == ["One.", "", ""]


def test_what_is_asked_of_one_output_is_not_asked_of_each_part() -> None:
    example = Example("One is. Two are.", extras={"prefix": "x"})
    with pytest.raises(UserError, match="prefix: is said of one output"):
        list(by_parts([example], parts, shout))
