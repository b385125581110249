"""Translation: text in one language to text in another."""

from __future__ import annotations

from seq2seq_kit.errors import ConfigError
from seq2seq_kit.tasks.pairs import PairConfig, PairTask


class TranslationConfig(PairConfig):
    """Configuration of :class:`Translation`."""

    name: str = "translation"
    shared_vocabulary: bool = False
    """The two tokenizers, though not one, are known to give an id the same meaning: those of a pretrained model."""
    reverse: bool = False
    """Translate the other way: the second column of TSV data, or the second of two files, is the source."""


class Translation(PairTask):
    """Pairs of sentences; see :class:`PairTask`."""

    config: TranslationConfig

    def __init__(self, config: TranslationConfig) -> None:
        super().__init__(config)
        self.reverse = config.reverse
        self.shared_vocabulary = config.shared_tokenizer or config.shared_vocabulary

    def _set_specs(self) -> None:
        super()._set_specs()
        source, target = self.source_tokenizer.vocab_size, self.target_tokenizer.vocab_size
        if self.shared_vocabulary and source != target:
            raise ConfigError(
                f"task.shared_vocabulary: the tokenizers have {source:,} and {target:,} tokens: they share none"
            )
