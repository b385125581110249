"""Translation: text in one language to text in another, or any other text to text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from seq2seq_kit.config import ComponentConfig, component_field
from seq2seq_kit.data.readers import Examples
from seq2seq_kit.decoding.copying import WholeWords, replace_unknown
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import DataError, UserError
from seq2seq_kit.interfaces import (
    Batch,
    EncodedExample,
    Example,
    Metric,
    Output,
    SourceSpec,
    TargetSpec,
    Task,
    Tokenizer,
)
from seq2seq_kit.registry import build


class TranslationConfig(ComponentConfig):
    """Configuration of :class:`Translation`."""

    name: str = "translation"
    source_tokenizer: component_field("tokenizer") = "bpe"  # type: ignore[valid-type]
    target_tokenizer: component_field("tokenizer") | None = None  # type: ignore[valid-type]
    """Default: the same section as the source's, learnt from the targets."""
    shared_tokenizer: bool = False
    """One vocabulary for both languages, learnt from both sides as ``source_tokenizer`` says."""
    source_field: str = "source"
    """The name of the source in JSONL data."""
    target_field: str = "target"
    """The name of the target in JSONL data."""
    reverse: bool = False
    """Translate the other way: the second column of TSV data, or the second of two files, is the source."""
    metrics: list[component_field("metric")] = Field(  # type: ignore[valid-type]
        default=["chrf", "bleu"], min_length=1
    )
    """How outputs are scored; the first is the main one."""

    @model_validator(mode="after")
    def _one_shared_section(self) -> TranslationConfig:
        if self.shared_tokenizer and self.target_tokenizer not in (None, self.source_tokenizer):
            raise PydanticCustomError(
                "sentence", "with shared_tokenizer there is one tokenizer: leave target_tokenizer out"
            )
        return self


class Translation(Task):
    """Pairs of sentences.

    The source, too, ends with EOS: it marks where the sentence ends, gives attention a place to look when the output is
    complete, and makes an empty sentence a sequence of one token. ``Output.source_tokens`` therefore ends with ``</s>``
    and has as many entries as the attention has columns (for an encoder that keeps the length).
    """

    def __init__(self, config: TranslationConfig) -> None:
        self.config = config
        self.shared_vocabulary = config.shared_tokenizer
        self.source_tokenizer: Tokenizer = build("tokenizer", config.source_tokenizer)
        self.target_tokenizer: Tokenizer = (
            self.source_tokenizer
            if config.shared_tokenizer
            else build("tokenizer", config.target_tokenizer or config.source_tokenizer)
        )

    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Examples:
        """The pairs of a TSV or JSONL file, or of two parallel files; see :class:`Examples`."""
        c = self.config
        return Examples(paths, on_error, source_field=c.source_field, target_field=c.target_field, reverse=c.reverse)

    def prepare(self, examples: Iterable[Example]) -> None:
        """Learn the tokenizers: each from its side, or a shared one from both."""
        examples = list(examples)
        sources = [example.source for example in examples]
        targets = [_target(example) for example in examples]
        if self.config.shared_tokenizer:
            self.source_tokenizer.train(sources + targets)
        else:
            self.source_tokenizer.train(sources)
            self.target_tokenizer.train(targets)
        self._set_specs()

    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Ids of sources and, where there are any, of targets; each ends with EOS."""
        sources = self.source_tokenizer.encode([example.source for example in examples])
        with_target = [i for i, example in enumerate(examples) if example.target is not None]
        targets = dict(
            zip(with_target, self.target_tokenizer.encode([_target(examples[i]) for i in with_target]), strict=True)
        )
        source_eos, target_eos = self.source_tokenizer.eos_id, self.target_tokenizer.eos_id
        return [
            EncodedExample(
                [*source, source_eos],
                [*targets[i], target_eos] if i in targets else None,
                id=example.id,
                extras=example.extras,
            )
            for i, (example, source) in enumerate(zip(examples, sources, strict=True))
        ]

    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        """Pad to the right and stack. Targets are there when every example has one."""
        source, source_mask = _padded([example.source for example in examples], self.source_tokenizer.pad_id)
        target = target_mask = None
        targets = [example.target for example in examples if example.target is not None]
        if len(targets) == len(examples):
            target, target_mask = _padded(targets, self.target_tokenizer.pad_id)
        return Batch(source, source_mask, target, target_mask, [example.id for example in examples])

    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """The best hypothesis as text, the others as its alternatives; an empty text where there is none."""
        texts = [self.target_tokenizer.decode(self._without_eos(hypothesis)) for hypothesis in hypotheses]
        return self._output(example, hypotheses, texts)

    def decode_copying(
        self, example: Example, hypotheses: Sequence[Hypothesis], dictionary: Mapping[str, str]
    ) -> Output:
        """As :meth:`decode`, source words in the place of unknown ones in the text; ``tokens`` shows what was written.

        Raises:
            UserError: the tokens are not whole words, or the decoder gives no attention over them.
        """
        source, target = self.source_tokenizer, self.target_tokenizer
        if not (isinstance(source, WholeWords) and isinstance(target, WholeWords)):
            raise UserError("unknown words can be replaced where both tokenizers have whole words for tokens ('word')")
        [unknown], given = target.words([target.unk_id]), source.split(example.source)
        texts = []
        for hypothesis in hypotheses:
            if hypothesis.attention is None:
                raise UserError("unknown words are replaced as attention says, and this run's decoder gives none")
            words = target.words(self._without_eos(hypothesis))
            texts.append(target.join(replace_unknown(words, unknown, given, hypothesis.attention, dictionary)))
        return self._output(example, hypotheses, texts)

    def _without_eos(self, hypothesis: Hypothesis) -> list[int]:
        ids = hypothesis.tokens
        return ids[:-1] if ids and ids[-1] == self.target_tokenizer.eos_id else ids

    def _output(self, example: Example, hypotheses: Sequence[Hypothesis], texts: Sequence[str]) -> Output:
        """The output of hypotheses with these texts."""
        [source] = self.source_tokenizer.encode([example.source])
        source_tokens = self.source_tokenizer.tokens([*source, self.source_tokenizer.eos_id])
        named = self.target_tokenizer.tokens
        outputs = [
            Output(
                text,
                h.score,
                named(self._without_eos(h)),
                h.token_log_probs,
                source_tokens,
                h.attention,
                finish=h.finish,
                top_tokens=[[(named([token])[0], log_prob) for token, log_prob in step] for step in h.top_tokens],
                unmet=h.unmet,
            )
            for h, text in zip(hypotheses, texts, strict=True)
        ]
        if not outputs:
            return Output("", float("-inf"), source_tokens=source_tokens)
        outputs[0].alternatives = outputs[1:]
        return outputs[0]

    def metrics(self) -> dict[str, Metric]:
        """The configured metrics by name."""
        return {section.name: build("metric", section) for section in self.config.metrics}

    def save(self, directory: Path) -> None:
        """Write ``source.json`` and ``target.json``, or ``shared.json``."""
        for name, tokenizer in self._files().items():
            tokenizer.save(directory / name)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; raises :class:`CheckpointError` where it is missing or damaged."""
        for name, tokenizer in self._files().items():
            tokenizer.load(directory / name)
        self._set_specs()

    def _files(self) -> dict[str, Tokenizer]:
        if self.config.shared_tokenizer:
            return {"shared.json": self.source_tokenizer}
        return {"source.json": self.source_tokenizer, "target.json": self.target_tokenizer}

    def _set_specs(self) -> None:
        source, target = self.source_tokenizer, self.target_tokenizer
        self.source_spec = SourceSpec(source.vocab_size, source.pad_id)
        self.target_spec = TargetSpec(target.vocab_size, target.pad_id, target.bos_id, target.eos_id, target.unk_id)


def _target(example: Example) -> str:
    if example.target is None:
        raise DataError(f"example {example.id} has no target, and training needs one")
    return example.target


def _padded(sequences: Sequence[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids [B, L], padded to the right, and their mask [B, L]."""
    ids = pad_sequence([torch.tensor(s, dtype=torch.int64) for s in sequences], batch_first=True, padding_value=pad_id)
    lengths = torch.tensor([len(s) for s in sequences])
    return ids, torch.arange(ids.shape[1]) < lengths.unsqueeze(1)
