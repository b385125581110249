"""Language modelling: text without a source, to be continued, scored, or to help another model choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import model_validator

from seq2seq_kit.checkpoint import load_run_config, load_task
from seq2seq_kit.config import ComponentConfig, TaskConfig, component_field
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.errors import ConfigError
from seq2seq_kit.interfaces import Batch, EncodedExample, Example, Metric, Tokenizer
from seq2seq_kit.manifest import read_manifest
from seq2seq_kit.registry import build
from seq2seq_kit.tasks.text import Texts, TextTask, padded, repeatable, target_of

FILE = "text.json"


class LanguageModelConfig(TaskConfig):
    """Configuration of :class:`LanguageModel`."""

    reads_source: ClassVar[bool] = False
    search_defaults: ClassVar[dict[str, Any]] = {"sampling": "tokens", "top_p": 0.9}  # Holtzman et al. 2020

    name: str = "language_model"
    tokenizer: component_field("tokenizer") = "bpe"  # type: ignore[valid-type]
    """Default: that of ``tokenizer_from``, where it is given."""
    tokenizer_from: str | None = None
    """A run folder whose target tokenizer is taken over as it is, so that the two have one vocabulary and can be
    searched together (shallow fusion). Needed when training begins, and never again."""
    text_field: str = "text"
    """The name of the text in JSONL data."""
    column: Literal[1, 2] = 2
    """Which column of TSV data is the text; 2 is the target of pairs."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_other_run_has_it(cls, values: Any) -> Any:
        if isinstance(values, dict) and "tokenizer" not in values:
            run = values.get("tokenizer_from")
            if isinstance(run, str):
                return {**values, "tokenizer": _lender(run).target_section}
        return values


class LanguageModel(TextTask):
    """Texts, each a sequence of its own that ends with EOS. What is longer than ``data.max_length`` is left out of
    training, so split long documents into lines.

    There is no source: ``source_spec`` is None, ``Batch.source`` is [B, 0], the model has no encoder, and its decoder
    is given no memory. In an ensemble with a task that has a source, the source is passed over. To decode, what is
    given is what the text starts with.
    """

    source_spec = None
    group_references = False

    def __init__(self, config: LanguageModelConfig) -> None:
        self.config = config
        self.target_tokenizer: Tokenizer = build("tokenizer", config.tokenizer)

    @property
    def target_section(self) -> ComponentConfig:
        section: ComponentConfig = self.config.tokenizer
        return section

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The texts of one file: the lines of plain text, a column of TSV, a field of JSONL; see :class:`Examples`."""
        c = self.config
        return Examples(paths, on_error, target_field=c.text_field, reverse=c.column == 1, targets_only=True)

    def prepare(self, examples: Iterable[Example]) -> None:
        """Learn the tokenizer, or take it over."""
        c = self.config
        if c.tokenizer_from is None:
            self.target_tokenizer.train(Texts(repeatable(examples), (target_of,)))
        else:
            lender = _lender(c.tokenizer_from)
            if lender.target_section != c.tokenizer:
                raise ConfigError(
                    f"task.tokenizer: is {c.tokenizer!r}, but the run of tokenizer_from, {c.tokenizer_from}, has "
                    f"{lender.target_section!r}: leave task.tokenizer out"
                )
            self.target_tokenizer = lender.target_tokenizer
        self.target_spec = self._target_spec()

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Ids of the texts, where there are any, each with EOS; sources are passed over."""
        given = [i for i, example in enumerate(examples) if example.target is not None]
        ids = self.target_tokenizer.encode([target_of(examples[i]) for i in given])
        targets = {i: [*own, self.target_tokenizer.eos_id] for i, own in zip(given, ids, strict=True)}
        return [EncodedExample([], targets.get(i), example.id, example.extras) for i, example in enumerate(examples)]

    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        """Pad to the right and stack. Targets are there when every example has one."""
        nothing = torch.zeros(len(examples), 0, dtype=torch.int64)
        batch = Batch(nothing, nothing.bool(), ids=[example.id for example in examples])
        targets = [example.target for example in examples if example.target is not None]
        if len(targets) == len(examples):
            batch.target, batch.target_mask = padded(targets, self.target_tokenizer.pad_id)
        return batch

    def tokenizers(self) -> dict[str, Tokenizer]:
        """``target``."""
        return {"target": self.target_tokenizer}

    def metrics(self) -> dict[str, Metric]:
        """None: a language model is measured by the perplexity of given text, not by what it writes."""
        return {}

    def save(self, directory: Path) -> None:
        """Write ``text.json``."""
        self.target_tokenizer.save(directory / FILE)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; raises :class:`CheckpointError` where it is missing or damaged."""
        self.target_tokenizer.load(directory / FILE)
        self.target_spec = self._target_spec()


def _lender(run: str) -> TextTask:
    """The task of a run that lends its target tokenizer.

    Raises:
        CheckpointError: ``run`` is no run folder, or it is damaged.
        ConfigError: its task has no such tokenizer.
    """
    manifest = read_manifest(Path(run))
    task = load_task(Path(run), manifest, load_run_config(Path(run), manifest))
    if not isinstance(task, TextTask):
        raise ConfigError(
            f"task.tokenizer_from: the task of {run} is a {type(task).__name__}, which does not lend its own"
        )
    return task
