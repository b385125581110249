"""What the tasks that write text share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from seq2seq_kit.config import ComponentConfig
from seq2seq_kit.decoding.copying import Reader
from seq2seq_kit.decoding.hypothesis import Hypothesis
from seq2seq_kit.errors import DataError
from seq2seq_kit.interfaces import Example, Output, TargetSpec, Task, Tokenizer


class TextTask(Task):
    """Base of the tasks whose targets are texts of one tokenizer."""

    target_tokenizer: Tokenizer

    @property
    @abstractmethod
    def target_section(self) -> ComponentConfig:
        """The configuration of ``target_tokenizer``."""

    def source_tokens(self, example: Example) -> list[str]:
        """The tokens of the source that attention looks at, as a person would read them."""
        return []

    def reader(self, example: Example) -> Reader:
        """What makes text of the ids of this example's outputs."""
        return self.target_tokenizer

    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """The best hypothesis as text, the others as its alternatives; an empty text where there is none."""
        reader = self.reader(example)
        return self.output(example, hypotheses, [reader.decode(self.without_eos(h)) for h in hypotheses])

    def without_eos(self, hypothesis: Hypothesis) -> list[int]:
        """The tokens of a hypothesis but for the EOS at its end."""
        ids = hypothesis.tokens
        return ids[:-1] if ids and ids[-1] == self.target_tokenizer.eos_id else ids

    def output(self, example: Example, hypotheses: Sequence[Hypothesis], texts: Sequence[str]) -> Output:
        """The output of hypotheses with these texts."""
        source_tokens = self.source_tokens(example)
        named = self.reader(example).tokens
        outputs = [
            Output(
                text,
                h.score,
                named(self.without_eos(h)),
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

    def _target_spec(self) -> TargetSpec:
        """The spec of a tokenizer that is trained or loaded."""
        t = self.target_tokenizer
        return TargetSpec(t.vocab_size, t.pad_id, t.bos_id, t.eos_id, t.unk_id)


def repeatable(examples: Iterable[Example]) -> Iterable[Example]:
    """The examples, in a list if they could be iterated over only once."""
    return list(examples) if iter(examples) is examples else examples


@dataclass(frozen=True)
class Texts(Iterable[str]):
    """The texts that a function picks of each example, then those that the next one picks; as often as asked."""

    examples: Iterable[Example]
    picks: tuple[Callable[[Example], str], ...]

    def __iter__(self) -> Iterator[str]:
        return (pick(example) for pick in self.picks for example in self.examples)


def source_of(example: Example) -> str:
    """The source, which every example has."""
    return example.source


def target_of(example: Example) -> str:
    """The target, which training needs; raises :class:`DataError` where there is none."""
    if example.target is None:
        raise DataError(f"example {example.id} has no target, and training needs one")
    return example.target


def padded(sequences: Sequence[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids [B, L], padded to the right, and their mask [B, L]."""
    lengths = np.array([len(sequence) for sequence in sequences])
    mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = np.fromiter(chain.from_iterable(sequences), np.int64, lengths.sum())
    return torch.from_numpy(ids), torch.from_numpy(mask)
