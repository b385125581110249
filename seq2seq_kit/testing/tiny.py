"""Something small to compute with, for tests: a batch, and what an encoder makes of one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from seq2seq_kit.errors import UserError
from seq2seq_kit.interfaces import Batch, Memory, MemorySpec, SourceSpec, TargetSpec

LENGTHS = (6, 3, 5, 1)
"""Of the sentences, where nothing else is said."""


def tiny_batch(
    source: SourceSpec | None = None,
    target: TargetSpec | None = None,
    *,
    lengths: Sequence[int] = LENGTHS,
    target_length: int = 5,
    seed: int = 0,
) -> Batch:
    """A padded batch of random sentences, the same ones for the same arguments.

    Args:
        source: what the sentences are made of; default: ids below 9. None of them is a special one (0 to 3), where
            the vocabulary has others.
        target: the vocabulary of the targets; default: the batch has none. Each of them has ``target_length`` labels
            and ends with EOS.
        lengths: of the sources, one for each; 0 is an empty one.
        seed: of the random numbers.

    Raises:
        UserError: ``lengths`` names no sentence, or ``target_length`` is below 1.
    """
    if not lengths or min(lengths) < 0 or target_length < 1:
        raise UserError(
            f"a batch has one sentence or more, of lengths from 0 up, and targets of 1 label or more; got lengths "
            f"{tuple(lengths)} and target_length {target_length}"
        )
    source = source or SourceSpec(vocab_size=9)
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)  # [B, S]
    if source.vocab_size is None:
        frames = torch.randn(*mask.shape, source.feature_size or 1, generator=generator)  # [B, S, F]
        batch = Batch(frames.masked_fill(~mask.unsqueeze(2), 0), mask)
    else:
        first = min(4, source.vocab_size - 1)
        ids = torch.randint(first, source.vocab_size, mask.shape, generator=generator)  # [B, S]
        batch = Batch(ids.masked_fill(~mask, source.pad_id), mask)
    batch.ids = list(range(len(lengths)))
    if target is not None:
        first = min(4, target.vocab_size - 1)
        labels = torch.randint(first, target.vocab_size, (len(lengths), target_length), generator=generator)  # [B, T]
        labels[:, -1] = target.eos_id
        batch.target, batch.target_mask = labels, torch.ones_like(labels, dtype=torch.bool)
    return batch


def random_copies(mask: torch.Tensor, vocab_size: int) -> dict[str, torch.Tensor]:
    """What a task that copies says of sentences with this ``mask`` [B, S]: there is nothing to copy at the first
    position, the next ones hold words of the sentence's own, and the others words of the vocabulary."""
    own, place = mask.sum(1, keepdim=True) // 3, torch.arange(mask.shape[1])  # [B, 1], [S]
    known = torch.randint(min(4, vocab_size - 1), vocab_size, mask.shape)
    copies = torch.where(place <= own, vocab_size + place - 1, known)
    return {"copies": copies.masked_fill(~mask | (place == 0), -1), "own_words": torch.arange(int(own.max())) < own}


def random_memory(spec: MemorySpec, example: torch.Tensor) -> Memory:
    """A memory of these sizes, of sentences of unlike lengths; what stands in the padding is as random as the rest.

    Args:
        example: a tensor of the wanted device and dtype.
    """
    width, count = max(LENGTHS), len(LENGTHS)
    final = {name: torch.randn(count, *shape).to(example) for name, shape in spec.final.items()}
    mask = torch.arange(width) < torch.tensor(LENGTHS).unsqueeze(1)  # [B, S']
    return Memory(torch.randn(count, width, spec.size).to(example), mask.to(example.device), final)
