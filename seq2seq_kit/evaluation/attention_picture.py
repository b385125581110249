"""Draws the attention of one output: which source tokens each target token looked at."""

from __future__ import annotations

from pathlib import Path

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Output


def draw_attention(output: Output, path: Path) -> None:
    """Write a PNG: target tokens down, source tokens across, the darker the more weight (0 to 1).

    Raises:
        UserError: the model gave no attention (attention ``none``), or matplotlib is not installed.
    """
    if output.attention is None:
        raise UserError("this model gives no attention weights, so there is nothing to draw")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError("pictures need matplotlib: pip install 'seq2seq_kit[plots]'") from None
    weights = output.attention.float().cpu().numpy()  # [T, S']
    rows = [*output.tokens, "</s>"][: weights.shape[0]]
    columns = output.source_tokens[: weights.shape[1]]
    weights = weights[: len(rows), : len(columns)]

    figure = Figure(figsize=(1.6 + 0.52 * len(columns), 1.2 + 0.36 * len(rows)), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), [_visible(t) for t in columns], rotation=45, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), [_visible(t) for t in rows])
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for i, row in enumerate(weights):
        for j, weight in enumerate(row):
            if weight >= 0.1:
                axes.text(
                    j,
                    i,
                    f"{100 * weight:.0f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if weight > 0.6 else "#345",
                )
    for side in axes.spines.values():
        side.set_visible(False)
    figure.savefig(path)


def _visible(token: str) -> str:
    return token if token.strip() else "␣"
