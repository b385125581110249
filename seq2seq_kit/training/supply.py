"""The batches of the updates, one update after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seq2seq_kit.interfaces import Batch, Task
from seq2seq_kit.training.processes import Processes
from seq2seq_kit.training.state import TrainingState


class Supply:
    """Makes batches of training examples, in the order of each epoch.

    Args:
        examples: what :func:`seq2seq_kit.training.corpus.load_corpus` gave for training.
        batches: which of them make a batch, of what :func:`seq2seq_kit.training.corpus.token_batches` gave.
    """

    def __init__(self, task: Task, examples: Any, batches: Any, processes: Processes) -> None:
        self._task = task
        self._examples = examples
        self._batches = batches
        self._processes = processes
        self._epoch: tuple[int, Any] = (-1, None)

    def take(self, state: TrainingState, count: int) -> list[Batch]:
        """This process' share of the next ``count`` batches; ``state`` then points to the one after them."""
        mine = self._processes.share([self._next(state) for _ in range(count)])
        return [self._task.collate(self._examples.take(indices, epoch)) for epoch, indices in mine]

    def _next(self, state: TrainingState) -> tuple[int, Any]:
        """The epoch and the examples of the batch that the state points to; it then points to the one after it."""
        if self._epoch[0] != state.epoch:
            self._epoch = state.epoch, self._batches.batches(state.epoch)
        batches = self._epoch[1]
        batch = state.epoch, batches[state.batch]
        state.batch += 1
        if batches.ends_at(state.batch):
            state.epoch, state.batch = state.epoch + 1, 0
        return batch


def positions_of(batches: Sequence[Batch]) -> tuple[int, int]:
    """How many positions batches have, source and target, and how many of them are padding."""
    masks = [mask for batch in batches for mask in (batch.source_mask, batch.target_mask) if mask is not None]
    positions = sum(mask.numel() for mask in masks)
    return positions, positions - sum(int(mask.sum()) for mask in masks)
