"""Lines of text from bytes that may be anything: a picture, another encoding, gigabytes without a line end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from seq2seq_kit.errors import DataError

LONGEST = 10_000_000
"""Bytes of a line. What is longer is no line of text, and is never in memory as a whole."""

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class MalformedLine(DataError):
    """One line cannot be used.

    Args:
        kind: the same for all lines with this fault, to be counted.
        problem: what this line is like, as the rest of "FILE, line N: …".
    """

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind
        self.problem = problem


def raw_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines without their ends (LF or CRLF), the first one without a byte-order mark.

    Of one with more than :data:`LONGEST` bytes only so much comes that :func:`as_text` can tell; the rest of it is
    passed over when the next one is asked for.
    """
    first = True
    while line := stream.readline(LONGEST + 2):
        ended = line.endswith(b"\n")
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        yield line.removeprefix(_BOM) if first else line
        first = False
        while not ended and (rest := stream.readline(LONGEST)):
            ended = rest.endswith(b"\n")


def as_text(line: bytes) -> str:
    """What a line says; raises :class:`MalformedLine` where it is no text in UTF-8."""
    if len(line) > LONGEST:
        raise MalformedLine("too long", f"has more than {LONGEST:,} bytes, which is no line of text")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        if line[:2] in _UTF_16:
            raise MalformedLine("UTF-16", "is UTF-16, not UTF-8: convert it (iconv -f UTF-16 -t UTF-8)") from None
        raise MalformedLine("invalid UTF-8", f"is not valid UTF-8 (byte {error.start + 1})") from None
    if "\0" in text:
        place = line.index(0) + 1
        raise MalformedLine("zero byte", f"holds a zero byte (byte {place}): it is UTF-16, or no text at all")
    return text
