"""Alignments on disk, in the format of fast_align and eflomal: one line a sentence pair, ``source-target`` each."""

from __future__ import annotations

import re
from array import array
from pathlib import Path
from typing import Any

from seq2seq_kit.errors import ConfigError, DataError

_LINK = re.compile(r"(\d+)-(\d+)")


class AlignmentFile:
    """The links of a sentence pair by its line number, read when asked for: 8 bytes a line are kept in memory.

    Raises:
        ConfigError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._starts = array("Q")  # where each line begins, in bytes
        try:
            with path.open("rb") as file:
                start = 0
                for line in file:
                    self._starts.append(start)
                    start += len(line)
        except OSError as error:
            raise ConfigError(f"criterion.alignments: {path}: cannot be read: {error.strerror}") from None

    def links(self, line: Any, source_size: int, target_size: int) -> list[tuple[int, int]]:
        """The (source, target) pairs of line ``line``, counted from 1.

        Args:
            line: the id of an example, which is its line number.
            source_size: the tokens of the pair, EOS included.
            target_size: the same.

        Raises:
            DataError: there is no such line, it is malformed, or it does not fit the pair.
        """
        if not isinstance(line, int) or not 1 <= line <= len(self._starts):
            raise DataError(
                f"{self.path}: has {len(self._starts):,} lines, and there is a training example {line!r}; there must "
                "be one training file, and a line of alignments for each of its lines"
            )
        with self.path.open("rb") as file:
            file.seek(self._starts[line - 1])
            text = file.readline().decode("utf-8", errors="replace")
        pairs = []
        for item in text.split():
            match = _LINK.fullmatch(item)
            if not match:
                raise DataError(f"{self.path}:{line}: {item!r} is not a pair like 0-0")
            source, target = int(match[1]), int(match[2])
            if source >= source_size or target >= target_size:
                raise DataError(
                    f"{self.path}:{line}: {item} is beyond the example's {source_size} source and {target_size} target "
                    "tokens (EOS included); alignments must be of the tokens that the run's tokenizers make"
                )
            pairs.append((source, target))
        return pairs
