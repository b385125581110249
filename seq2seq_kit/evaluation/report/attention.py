"""The attention of an output, small enough for a page."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from seq2seq_kit.interfaces import Output

LONGEST = 100
"""Tokens of either side that are shown."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Keeper:
    """Leaves outputs no more attention than is shown, so that those of a whole test set fit into memory.

    Args:
        count: how many outputs keep theirs.
    """

    def __init__(self, count: int) -> None:
        self._left = count

    def __call__(self, output: Output) -> Output:
        """The output as it is kept."""
        self._left -= 1
        attention = output.attention if self._left >= 0 else None
        return replace(
            output,
            attention=None if attention is None else attention[:LONGEST, :LONGEST].half().cpu(),
            alternatives=[replace(alternative, attention=None) for alternative in output.alternatives],
        )


def packed(output: Output) -> dict[str, Any] | None:
    """What the page draws; None where the decoder gives no attention.

    ``weights`` has two digits of base 36 for each target and source token, row by row: thousandths. ``probabilities``
    are those of the target tokens. ``cut`` says that tokens are missing.
    """
    if output.attention is None or 0 in output.attention.shape:
        return None
    weights = output.attention.float().nan_to_num().clamp(0, 1).mul(1000).round().int().tolist()  # [T, S']
    targets = [*output.tokens, "</s>"][: len(weights)]
    columns = len(weights[0])
    named = len(output.source_tokens) == columns or len(output.source_tokens) > LONGEST == columns
    sources = output.source_tokens[:columns] if named else [str(place) for place in range(1, columns + 1)]
    return {
        "source": [_visible(token) for token in sources],
        "target": [_visible(token) for token in targets],
        "weights": "".join(_DIGITS[w // 36] + _DIGITS[w % 36] for row in weights[: len(targets)] for w in row),
        "probabilities": [round(math.exp(min(0.0, score)), 4) for score in output.token_scores[: len(targets)]],
        "cut": len(output.tokens) >= LONGEST or len(output.source_tokens) > LONGEST,
    }


def _visible(token: str) -> str:
    return token if token.strip() else "␣"
