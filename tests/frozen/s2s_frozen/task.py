"""Text to text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
from seq2seq_kit import (
    Batch,
    ComponentConfig,
    EncodedExample,
    Example,
    Examples,
    Metric,
    SourceSpec,
    TargetSpec,
    TextTask,
    Tokenizer,
    build,
    component_field,
)
from torch import Tensor


class FrozenTaskConfig(ComponentConfig):
    """The options of :class:`FrozenTask`; users see the docstrings with ``s2s plugins show frozen``."""

    name: str = "frozen"
    tokenizer: component_field("tokenizer") = "word"  # type: ignore[valid-type]
    """The tokenizer of sources and, learnt apart, of targets."""
    metrics: list[component_field("metric")] = ["exact", "chrf"]  # type: ignore[valid-type]
    """How outputs are scored; the first is the main one."""


class FrozenTask(TextTask):
    """Reads pairs of texts, and writes the second for the first (see ``Task`` for the contract).

    ``TextTask`` turns hypotheses into texts. Users call the task by its verb: ``s2s frozen RUN``.
    """

    def __init__(self, config: FrozenTaskConfig) -> None:
        self.config = config
        self.source_tokenizer: Tokenizer = build("tokenizer", config.tokenizer)
        self.target_tokenizer: Tokenizer = build("tokenizer", config.tokenizer)

    @property
    def target_section(self) -> ComponentConfig:
        section: ComponentConfig = self.config.tokenizer
        return section

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The pairs of a TSV or JSONL file, or of two parallel files."""
        return Examples(paths, on_error)

    def prepare(self, examples: Iterable[Example]) -> None:
        """Learn the tokenizers."""
        examples = list(examples)
        self.source_tokenizer.train(example.source for example in examples)
        self.target_tokenizer.train(example.target or "" for example in examples)
        self._set_specs()

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Ids of both sides, each with its end."""
        source, target = self.source_tokenizer, self.target_tokenizer
        encoded = []
        for example in examples:
            [own] = source.encode([example.source])
            written = None if example.target is None else [*target.encode([example.target])[0], target.eos_id]
            ids = [*source.prefix, *own, *source.suffix]
            encoded.append(EncodedExample(ids, written, example.id, example.extras))
        return encoded

    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        """Pad to the right; targets are there where every example has one."""
        source, source_mask = _padded([example.source for example in examples], self.source_tokenizer.pad_id)
        batch = Batch(source, source_mask, ids=[example.id for example in examples])
        targets = [example.target for example in examples if example.target is not None]
        if len(targets) == len(examples):
            batch.target, batch.target_mask = _padded(targets, self.target_tokenizer.pad_id)
        return batch

    def source_tokens(self, example: Example) -> list[str]:
        """What attention looks at, for pictures."""
        [encoded] = self.encode([example])
        return self.source_tokenizer.tokens(encoded.source)

    def tokenizers(self) -> dict[str, Tokenizer]:
        return {"source": self.source_tokenizer, "target": self.target_tokenizer}

    def metrics(self) -> dict[str, Metric]:
        return {section.name: build("metric", section) for section in self.config.metrics}

    def save(self, directory: Path) -> None:
        self.source_tokenizer.save(directory / "source.json")
        self.target_tokenizer.save(directory / "target.json")

    def load(self, directory: Path) -> None:
        self.source_tokenizer.load(directory / "source.json")
        self.target_tokenizer.load(directory / "target.json")
        self._set_specs()

    def _set_specs(self) -> None:
        self.source_spec = SourceSpec(self.source_tokenizer.vocab_size, self.source_tokenizer.pad_id)
        target = self.target_tokenizer
        self.target_spec = TargetSpec(target.vocab_size, target.pad_id, target.bos_id, target.eos_id, target.unk_id)


def _padded(sequences: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids [B, L], padded to the right, and their mask [B, L]."""
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    width = max(map(len, sequences), default=0)
    ids = torch.tensor([sequence + [pad_id] * (width - len(sequence)) for sequence in sequences], dtype=torch.int64)
    return ids, torch.arange(width) < lengths.unsqueeze(1)
