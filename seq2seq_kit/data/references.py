"""Several correct targets of one source, as data files have them: several lines."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from seq2seq_kit.interfaces import Example


def with_references(examples: Iterable[Example], *, by_source: bool = True) -> list[Example]:
    """Evaluation examples, each with all its correct targets as ``references``.

    Args:
        by_source: lines of one source are one example, in first-seen order, and all their targets are its references;
            False: each line is an example of its own, its target among its references.
    """
    found: dict[Hashable, Example] = {}
    for place, example in enumerate(examples):
        first = found.setdefault(example.source if by_source else place, replace(example, references=[]))
        targets = [] if example.target is None else [example.target]
        first.references.extend(t for t in [*targets, *example.references] if t not in first.references)
    return list(found.values())
