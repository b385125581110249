"""The section ``data`` of a run's configuration. Torch-free."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from seq2seq_kit.config import Config, component_field


class Source(Config):
    """One corpus among several."""

    paths: list[str] = Field(min_length=1, max_length=2)
    """One file (TSV, JSONL, Parquet, gzip of text), or two parallel ones; ``phrasebook:train``: the corpus in the
    package; ``hf:NAME``: a data set of the Hugging Face hub, or a folder of one."""
    weight: float | None = Field(default=None, gt=0)
    """Its share of an epoch, beside the weights of the others."""

    def __str__(self) -> str:
        return " and ".join(self.paths)


def _sources(value: Any) -> Any:
    """A list of paths is one corpus."""
    if isinstance(value, list) and not any(isinstance(part, (dict, Source)) for part in value):
        return [{"paths": value}]
    return value


class DataConfig(Config):
    """Where examples come from."""

    train: Annotated[list[Source], BeforeValidator(_sources)] = Field(min_length=1)
    """One file or two parallel ones, ``[train.tsv]``; or several corpora, ``[{paths: [a.tsv], weight: 2}, …]``."""
    dev: list[str] = Field(min_length=1, max_length=2)
    """The validation data, one file or two parallel ones."""
    temperature: float | None = Field(default=None, gt=0)
    """How several corpora without weights are mixed: in proportion to size^(1/temperature). 1, the default, keeps their
    proportions; more gives small ones more room (Arivazhagan et al. 2019)."""
    on_error: Literal["stop", "skip"] = "stop"
    """What to do about a malformed line: stop the run, or skip and count it."""
    max_length: int = Field(default=256, ge=1)
    """Training examples with more tokens on either side are left out and counted."""
    filters: list[component_field("transform")] = []  # type: ignore[valid-type]
    """Applied once to each training example, in this order, when the corpus is read; what they leave out is counted."""
    transforms: list[component_field("transform")] = []  # type: ignore[valid-type]
    """Applied to a training example each time that it is used, in this order: noise, for instance."""
    streaming: bool = False
    """Keep nothing: read, filter and encode the training data anew in every epoch, corpus after corpus. Slower, and a
    resumed run reads up to where it was; for a corpus that does not fit on the disk twice."""
    shuffle_buffer: int = Field(default=50_000, ge=1)
    """With ``streaming``: examples that are in memory, and batched and shuffled with each other."""
    cache: str | None = None
    """The folder for encoded training data, which several runs may share; default: ``data`` in the run folder."""

    @model_validator(mode="after")
    def _what_goes_together(self) -> DataConfig:
        weighted = [source.weight is not None for source in self.train]
        if any(weighted) and not all(weighted):
            raise PydanticCustomError("sentence", "give every corpus of train a weight, or none")
        if any(weighted) and self.temperature is not None:
            raise PydanticCustomError("sentence", "the corpora of train have weights: leave temperature out")
        if self.temperature is not None and len(self.train) == 1:
            raise PydanticCustomError("sentence", "temperature mixes several corpora, and train has one: leave it out")
        if self.streaming and self.cache is not None:
            raise PydanticCustomError("sentence", "streaming keeps nothing: leave cache out")
        if self.streaming and (any(weighted) or self.temperature is not None):
            raise PydanticCustomError("sentence", "streaming reads one corpus after the other: leave weights out")
        return self

    @property
    def training_files(self) -> str:
        """The corpora in words, for messages."""
        return ", ".join(map(str, self.train))
