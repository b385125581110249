"""The filters of a corpus, in their order, and what they left out."""

from __future__ import annotations

import numpy as np

from seq2seq_kit.data.config import DataConfig
from seq2seq_kit.data.report import Report, Row
from seq2seq_kit.data.training_set import lengths
from seq2seq_kit.interfaces import EncodedExample, Example, Task, Transform
from seq2seq_kit.registry import build


class Sieve:
    """The filters, and what they left out."""

    def __init__(self, config: DataConfig, task: Task, seed: int) -> None:
        self._filters: list[Transform] = [build("transform", section, task) for section in config.filters]
        self._max_length = config.max_length
        self._generator = np.random.default_rng(seed)
        last = Row(f"data.max_length ({config.max_length})")
        self.report = Report(rows=[*(Row(section.name) for section in config.filters), last])

    def text(self, example: Example) -> Example | None:
        """The example as the filters leave it; None where one of them leaves it out."""
        self.report.read += 1
        for row, keep in enumerate(self._filters):
            kept = keep.on_text(example, self._generator)
            if kept is None:
                self.report.take(row, example)
                return None
            example = kept
        return example

    def ids(self, encoded: EncodedExample, example: Example) -> EncodedExample | None:
        """The same for its ids."""
        for row, keep in enumerate(self._filters):
            kept = keep.on_ids(encoded, example, self._generator)
            if kept is None:
                self.report.take(row, example)
                return None
            encoded = kept
        if max(lengths(encoded)) > self._max_length:
            self.report.take(len(self._filters), example)
            return None
        return encoded
