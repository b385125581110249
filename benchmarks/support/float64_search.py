"""The search in float64, for sources with which two systems come to different ends: did rounding decide between them?

``python -m benchmarks.support.float64_search FOLDER BEAMS ASKED`` reads sources, each with n-best lists of it, from a
file of JSON, ``[[source, n-best, …], …]``, and prints two numbers for each: the least margin by which the search keeps
a hypothesis before the best that it drops, and the greatest error of a score in the lists. Where the margin is as small
as errors of float32 are, another beam is as right. Runs where transformers is installed.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.support.marian import TARGET_LENGTH

if TYPE_CHECKING:
    from torch import Tensor


def least_margin(model: Any, source: Tensor, beams: int, steps: int) -> float:
    """What the worst of the hypotheses that a beam keeps is ahead of the best that it drops, at the narrowest step.

    Args:
        source: token ids ``[1, S]``.
    """
    import torch

    memory = model.get_encoder()(source).last_hidden_state  # [1, S, H]
    prefixes = torch.tensor([[model.config.decoder_start_token_id]])  # [K, t]
    sums, least = memory.new_zeros(1), math.inf
    for _ in range(steps):
        scores = sums[:, None] + _log_probs(model, memory, prefixes)[:, -1]  # [K, V]
        best = scores.flatten().topk(beams + 1)
        least = min(least, float(best.values[-2] - best.values[-1]))
        sums, kept = best.values[:-1], best.indices[:-1]
        vocab = scores.shape[1]
        prefixes = torch.cat([prefixes[kept // vocab], (kept % vocab)[:, None]], dim=1)
    return least


def score(model: Any, source: Tensor, target: Sequence[int]) -> float:
    """The sum of the log-probabilities of ``target`` after ``source`` ``[1, S]``."""
    import torch

    memory = model.get_encoder()(source).last_hidden_state
    tokens = torch.tensor([[model.config.decoder_start_token_id, *target]])
    return float(_log_probs(model, memory, tokens[:, :-1]).gather(2, tokens[:, 1:, None]).sum())


def _log_probs(model: Any, memory: Tensor, prefixes: Tensor) -> Tensor:
    """After each position: ``[K, t, V]``."""
    encoded = memory.expand(len(prefixes), -1, -1)
    logits: Tensor = model(encoder_outputs=(encoded,), decoder_input_ids=prefixes, use_cache=False).logits
    return logits.log_softmax(-1)


def answers(folder: Path, beams: int, asked: Sequence[Sequence[Any]]) -> list[list[float]]:
    """Margin and error of each source; ``folder`` holds the model as transformers saves it."""
    import torch
    from transformers import MarianMTModel, MarianTokenizer

    tokenizer = MarianTokenizer.from_pretrained(folder)
    model = MarianMTModel.from_pretrained(folder).double().eval()
    found = []
    with torch.inference_mode():
        for text, *lists in asked:
            source = tokenizer(text, return_tensors="pt")["input_ids"]
            hypotheses = {(*tokenizer.convert_tokens_to_ids(tokens), given) for n in lists for tokens, given in n}
            error = max(abs(score(model, source, target) - given) for *target, given in hypotheses)
            found.append([least_margin(model, source, beams, TARGET_LENGTH), error])
    return found


if __name__ == "__main__":
    folder, beams, path = sys.argv[1:]
    print(json.dumps(answers(Path(folder), int(beams), json.loads(Path(path).read_text(encoding="utf-8")))))
