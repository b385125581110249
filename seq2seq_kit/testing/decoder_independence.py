"""Sentences and hypotheses do not reach each other, and a hypothesis is nothing but its state."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from seq2seq_kit.interfaces import DecoderState
from seq2seq_kit.testing.probe import Probe, map_memory, parts, take
from seq2seq_kit.testing.report import Fault


def check_sentences(probe: Probe) -> None:
    """Others leave, before the first step or in the middle, and those that stay change places: their scores stay."""
    keep = torch.tensor([probe.paths.shape[0] - 1, 0], device=probe.paths.device)
    expected = [output.scores[keep] for output in probe.run(probe.start(), probe.paths)]
    for moment in (0, 1, 3):
        for t, scores in _shrunk(probe, keep, moment).items():
            apart = probe.difference(scores, expected[t])
            if apart is not None:
                raise Fault(
                    f"scores change when other sentences leave before step {moment} (step {t}, {apart}); "
                    f"{_leak(probe, 'sentence')}"
                )


def check_slots(probe: Probe) -> None:
    """Hypotheses side by side score as each does alone."""
    together, beams = probe.run(probe.start(), probe.paths), probe.paths.shape[1]
    for k in range(beams):
        alone = probe.run(probe.start(), probe.paths[:, k : k + 1])
        for t, (one, other) in enumerate(zip(together, alone, strict=True)):
            apart = probe.difference(one.scores[:, k], other.scores[:, 0], ("sentence",))
            if apart is not None:
                raise Fault(
                    f"hypothesis {k} of {beams} does not score as it does alone (step {t}, {apart}); "
                    f"{_leak(probe, 'slot')}"
                )


def check_reorder(probe: Probe) -> None:
    """However the engine reorders, widens and narrows, a slot scores as the hypothesis that it continues."""
    start, state, device = probe.start(), probe.start(), probe.paths.device
    paths = probe.paths[:, :1, :1]  # [B, K = 1, t]
    for t, width in enumerate((3, 2, 4, 3, 1)):
        output = probe.step(paths[:, :, -1], t, state)
        apart = probe.difference(output.scores, probe.run(start, paths)[-1].scores)
        if apart is not None:
            raise Fault(
                f"after a reordering, a slot does not score as the hypothesis that it continues (step {t}, {apart}); "
                "something that belongs to a hypothesis is kept where the engine cannot reorder it: move it to rows "
                "(replaced at each step) or to history (grows by one slice a step)"
            )
        sentence = torch.arange(paths.shape[0], device=device).unsqueeze(1)
        parents = (torch.arange(width, 0, -1, device=device) + sentence) % paths.shape[1]  # [B, K']
        state = state.advance(output).select(parents)
        tokens = probe.paths[:, torch.arange(width, device=device) % probe.paths.shape[1], t + 1]  # [B, K']
        paths = torch.cat([paths[sentence, parents], tokens.unsqueeze(2)], 2)


def _shrunk(probe: Probe, keep: Tensor, moment: int) -> dict[int, Tensor]:
    """Scores of the sentences ``keep`` at each step from ``moment`` on, when the others leave before it."""
    if moment == 0:
        probe = replace(probe, memory=map_memory(probe.memory, lambda x: x[keep]), paths=probe.paths[keep])
    paths, scores = probe.paths, {}
    state = probe.start().select(torch.zeros_like(paths[:, :, 0]))
    for t in range(paths.shape[2]):
        if 0 < t == moment:
            state, paths = take(state, keep), paths[keep]
        output = probe.step(paths[:, :, t], t, state)
        state = state.advance(output)
        scores[t] = output.scores
    return {t: x for t, x in scores.items() if t >= moment}


def _leak(probe: Probe, unit: str) -> str:
    """Which tensor of the first sentence or slot reaches the others: the first that changes them when it is changed."""
    state = probe.start().select(torch.zeros_like(probe.paths[:, :, 0]))
    for t in range(2):
        state = state.advance(probe.step(probe.paths[:, :, t], t, state))
    tokens = probe.paths[:, :, 2]
    expected = probe.step(tokens, 2, state).scores
    for name, x in {"tokens": tokens, **parts(state)}.items():
        changed = x.clone()
        if unit == "sentence":
            changed[0] = x[-1]
        elif not name.startswith("sentences"):
            changed[:, 0] = x[:, -1]
        found = probe.step(changed if name == "tokens" else tokens, 2, _replaced(state, name, changed)).scores
        beyond = (slice(1, None),) if unit == "sentence" else (slice(None), slice(1, None))
        if probe.difference(found[beyond], expected[beyond]) is not None:
            return f"scores of others change with {name} of one {unit}, but [b, k] may only depend on [b, k] and [b]"
    return f"what a {unit} needs is lost, or another's is taken, but [b, k] may only depend on [b, k] and [b]"


def _replaced(state: DecoderState, name: str, value: Tensor) -> DecoderState:
    """``state`` with ``value`` for the tensor that :func:`parts` calls ``name``."""

    def swap(part: str) -> dict[str, Tensor]:
        return {key: value if f"{part}[{key!r}]" == name else x for key, x in getattr(state, part).items()}

    return DecoderState(swap("rows"), swap("history"), swap("sentences"))
