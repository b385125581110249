"""Words of the source's own, beyond the vocabulary: only a sentence's own are scored, and all are read as unknown."""

from __future__ import annotations

import torch

from seq2seq_kit.testing.probe import Probe
from seq2seq_kit.testing.report import Fault


def check_copying(probe: Probe) -> None:
    """Steps and forward read an id of V or more as unknown, and score those that the sentence has."""
    known, scores = probe.target.vocab_size, probe.run(probe.start(), probe.paths[:, :, :1])[0].scores
    count = scores.shape[-1] - known
    if not count:  # there are no such words
        return
    own_words = probe.memory.extras.get("own_words") if probe.memory is not None and probe.decoder.copies else None
    if own_words is not None:
        scored = scores[..., known:] > -torch.inf  # [B, K, N]
        if count != own_words.shape[1] or not torch.equal(scored, own_words.unsqueeze(1).expand_as(scored)):
            raise Fault(
                "ids of V and more must be scored where own_words says that the sentence has them, -inf elsewhere"
            )
    every_other = (torch.arange(probe.paths.shape[2], device=probe.paths.device) % 2).bool()
    copied, unknown = (
        probe.paths.masked_fill(every_other, token) for token in (known + count - 1, probe.target.unk_id)
    )
    where = probe.first_difference(probe.run(probe.start(), copied), probe.run(probe.start(), unknown))
    if where is None:
        found, expected = (probe.teach(paths[:, 0], probe.memory)[0] for paths in (copied, unknown))
        apart = probe.difference(found, expected, ("sentence", "position"))
        where = apart and f"scores of forward, {apart}"
    if where:
        raise Fault(f"after a word of the source's own the scores are not those after unk_id ({where}); it is unknown")
