"""The contract of transforms of training examples."""

from __future__ import annotations

import numpy as np

from seq2seq_kit.interfaces.example import EncodedExample, Example


class Transform:
    """Changes training examples, or leaves some out. Built as ``cls(config, task: Task)``.

    Named in ``data.filters`` it is applied once to each example, when the corpus is read; in ``data.transforms`` each
    time that an example is used, with a generator of its own for that example and epoch. Examples are not to be changed
    in place.
    """

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        """The example in its place; None leaves it out (a filter only). The tokenizers may not be learnt yet."""
        return example

    def on_ids(
        self, encoded: EncodedExample, example: Example, generator: np.random.Generator
    ) -> EncodedExample | None:
        """The same once ``example`` is encoded."""
        return encoded
