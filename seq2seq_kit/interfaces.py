"""The contracts between components: what flows between encoder, decoder, attention, criterion and search.

Shapes: B sentences, K beams, S source positions, T target positions, V vocabulary, H hidden size, D any width.
Masks are bool, True = real. All sequences are right-padded. "Beam is a dimension": what belongs to a sentence is
``[B, ...]`` and is never repeated K times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seq2seq_kit.errors import DataError, UserError

if TYPE_CHECKING:
    from seq2seq_kit._engine import NativeStep
    from seq2seq_kit.decoding.hypothesis import Finish, Hypothesis
    from seq2seq_kit.decoding.pipeline import Pipeline
    from seq2seq_kit.model import Model

ScoreKind = Literal["logits", "log_probs"]
Precision = Literal["fp32", "bf16", "int8"]
"""In what native encoders and steppers keep and multiply their weights."""
TensorDict = dict[str, Tensor]


@dataclass(frozen=True)
class SourceSpec:
    """What an encoder reads: token ids (``vocab_size``) or continuous frames (``feature_size``), one of the two."""

    vocab_size: int | None = None
    pad_id: int = 0
    feature_size: int | None = None


@dataclass(frozen=True)
class TargetSpec:
    """The vocabulary that a decoder writes, and its special ids."""

    vocab_size: int
    pad_id: int = 0
    bos_id: int = 1
    eos_id: int = 2
    unk_id: int = 3


@dataclass(frozen=True)
class MemorySpec:
    """The sizes of a :class:`Memory`, known before any is made.

    Args:
        size: H of ``Memory.states``.
        final: for each entry of ``Memory.final``, its (layers, size); empty when the encoder has no final state.
    """

    size: int
    final: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Batch:
    """A padded batch of examples.

    ``target`` holds the labels: the sentence's tokens followed by EOS, without BOS (see :func:`shift_right`).
    """

    source: Tensor  # [B, S] int64, or [B, S, F] float for continuous input
    source_mask: Tensor  # [B, S] bool
    target: Tensor | None = None  # [B, T] int64
    target_mask: Tensor | None = None  # [B, T] bool
    ids: list[Any] = field(default_factory=list)  # B identifiers of the examples
    extras: TensorDict = field(default_factory=dict)  # [B, ...] each

    def __len__(self) -> int:
        return self.source.shape[0]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""

        def move(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device)

        return replace(
            self,
            source=self.source.to(device),
            source_mask=self.source_mask.to(device),
            target=move(self.target),
            target_mask=move(self.target_mask),
            extras={name: x.to(device) for name, x in self.extras.items()},
        )


@dataclass
class Memory:
    """What an encoder made of a batch of sources. An encoder that shortens its input (S' < S) owns the new mask."""

    states: Tensor  # [B, S', H]
    mask: Tensor  # [B, S'] bool
    final: TensorDict = field(default_factory=dict)  # e.g. {"h": [B, L, H], "c": [B, L, H]}, at the last real position
    extras: TensorDict = field(default_factory=dict)  # [B, ...] each

    def mean(self) -> Tensor:
        """The mean of ``states`` over real positions, [B, H]: a decoder's start where there is no ``final``."""
        weights = self.mask.to(self.states.dtype).unsqueeze(-1)  # [B, S', 1]
        total = self.states.masked_fill(~self.mask.unsqueeze(-1), 0).sum(1)
        return total / weights.sum(1).clamp(min=1)

    def select(self, sentences: Tensor) -> Memory:
        """The memory of ``sentences`` ([N] int64, indexes into B, in any order and number)."""

        def pick(tensors: TensorDict) -> TensorDict:
            return {name: x[sentences] for name, x in tensors.items()}

        return Memory(self.states[sentences], self.mask[sentences], pick(self.final), pick(self.extras))


class Encoder(nn.Module, ABC):
    """Reads a source. Built as ``cls(config, source: SourceSpec)``."""

    memory_spec: MemorySpec

    def attach(self, target: TargetSpec) -> None:
        """Called once when the model is built, before its decoder is, with what that will write: for an encoder with an
        output layer of its own (CTC)."""

    @abstractmethod
    def forward(self, batch: Batch) -> Memory:
        """Encode; padding must not change what comes out at real positions. In eval mode several threads may call it
        at once."""

    def native(self, precision: Precision = "fp32") -> NativeEncoder | None:
        """What computes the same without Python, for this encoder as it is now, or None: there is nothing for its
        options, its device or this precision. Used for decoding in the place of ``forward`` unless a subclass has a
        ``forward`` of its own."""
        return None


class NativeEncoder(Protocol):
    """An encoder that is not torch's operations. It holds for its weights as they are: when they change, ask ``native``
    again."""

    def encode(self, batch: Batch) -> Memory:
        """What the encoder's ``forward`` returns in eval mode, within the roundings of the precision."""


@dataclass
class DecoderState:
    """All that a decoder carries from step to step: three flat dicts of tensors.

    The first state has K = 1 and ``history`` tensors with t = 0.
    """

    rows: TensorDict = field(default_factory=dict)  # [B, K, ...]: follow a hypothesis
    history: TensorDict = field(default_factory=dict)  # [B, K, t, ...]: grow by one position a step
    sentences: TensorDict = field(default_factory=dict)  # [B, ...]: one per source

    def advance(self, output: StepOutput) -> DecoderState:
        """The state after a step, for unrolling outside a search (differentiable; nothing is written in place)."""
        history = {name: torch.cat([past, output.new_history[name]], 2) for name, past in self.history.items()}
        return DecoderState(output.rows, history, self.sentences)

    def select(self, parents: Tensor) -> DecoderState:
        """The state of the hypotheses ``parents`` ([B, K'] int64, indexes into K); for unrolling outside the engine."""

        def gather(x: Tensor) -> Tensor:  # [B, K, ...] -> [B, K', ...]
            return x[torch.arange(x.shape[0], device=x.device).unsqueeze(1), parents]

        rows = {name: gather(x) for name, x in self.rows.items()}
        history = {name: gather(x) for name, x in self.history.items()}
        return DecoderState(rows, history, self.sentences)


@dataclass
class StepOutput:
    """What one time step returns.

    V' may exceed V: ids >= V are the source's own words (copying), fed back as unknown.
    """

    scores: Tensor  # [B, K, V']
    kind: ScoreKind = "logits"
    rows: TensorDict = field(default_factory=dict)  # [B, K, ...], same names and shapes as in the state
    new_history: TensorDict = field(default_factory=dict)  # [B, K, 1, ...]: only the new slice
    attention: Tensor | None = None  # [B, K, S']


@dataclass
class DecoderOutput:
    """What teacher forcing returns. ``losses`` are a decoder's own, already summed over real positions."""

    hidden: Tensor  # [B, T, H]
    attention: Tensor | None = None  # [B, T, S']
    losses: TensorDict = field(default_factory=dict)  # scalars


class Decoder(nn.Module, ABC):
    """Writes a target. Built as ``cls(config, target: TargetSpec, memory: MemorySpec | None)``.

    ``forward`` followed by ``output`` is the same function as T calls of ``step`` in eval mode. Reordering, growing and
    shrinking state is the engine's work, never the decoder's. ``init_state`` and ``step`` are differentiable and write
    nothing in place. A language model is a decoder that accepts ``memory=None``.
    """

    score_kind: ScoreKind = "logits"
    output_reads_memory: bool = True
    """False: ``output`` depends on ``hidden`` alone, so that a criterion may give it any selection of positions, N of
    them as [1, N, H], and no memory."""
    attention_wanted: bool = True
    """Set to False on an instance whose attention nobody reads: ``forward`` and ``step`` may then leave it out."""
    parallel: bool = False
    """True: ``forward`` computes all positions side by side, as a Transformer does. Scheduled sampling then takes two
    passes in the place of T steps."""
    compiled: NativeDecoder | None = None
    """What ``s2s compile`` made of this instance's ``step``, where the user asked for it: used before ``native``."""

    @abstractmethod
    def init_state(self, memory: Memory | None, batch_size: int) -> DecoderState:
        """The state before the first step: K = 1, no history. What depends on the source alone is computed here."""

    @abstractmethod
    def step(self, tokens: Tensor, position: Tensor, state: DecoderState) -> StepOutput:
        """One time step for all hypotheses: ``tokens`` [B, K] int64 and ``position`` [B] int64 (0 for BOS)."""

    @abstractmethod
    def forward(self, prefix: Tensor, memory: Memory | None) -> DecoderOutput:
        """Teacher forcing: all positions of ``prefix`` [B, T] (BOS first) at once."""

    @abstractmethod
    def output(self, hidden: Tensor, memory: Memory | None) -> Tensor:
        """Scores [B, T, V'] (of ``score_kind``) from ``hidden`` [B, T, H]; apart, so that a criterion can chunk it."""

    def native(self, precision: Precision = "fp32") -> NativeDecoder | None:
        """The engine's own stepper for this decoder as it is now, or None: there is none for its options, its device or
        this precision. Used in the place of ``init_state`` and ``step`` unless a subclass has a ``step`` of its own."""
        return None


class NativeDecoder(Protocol):
    """A decoder that the engine runs without Python. It holds for its weights as they are: when they change, ask
    ``native`` again."""

    def begin(self, memory: Memory | None, batch_size: int) -> NativeStep:
        """The step of one batch, to be searched in the place of a Python one."""


@dataclass
class ProcessorOutput:
    """What a processor gives back: new scores for all, or values to be added to some (minus infinity bars a token)."""

    scores: Tensor | None = None  # [B, K, V]: the dense answer
    rows: Tensor | None = None  # [N] int64: the sparse answer: row b * K + k,
    tokens: Tensor | None = None  # [N] int64: token,
    values: Tensor | None = None  # [N]: and what is added there
    state: TensorDict = field(default_factory=dict)  # [B, K, ...]: the new rows, same names and shapes as in the state


class Processor(ABC):
    """Changes the scores of the next token in a search. Built as ``cls(config, target: TargetSpec)``.

    Called once a time step for the whole batch, after the built-in options. Its state is selected by the engine like a
    decoder's: ``rows`` follow a hypothesis, ``sentences`` belong to the source; there is no history.
    """

    needs_scores: bool = True
    """False: ``apply`` is given None for the scores, and answers sparsely."""

    def init(self, memory: Memory | None, batch_size: int) -> DecoderState:
        """The state before the first step, K = 1."""
        return DecoderState()

    @abstractmethod
    def apply(self, scores: Tensor | None, tokens: Tensor, state: DecoderState) -> ProcessorOutput | Tensor:
        """``scores`` [B, K, V] float32 (log-probabilities; logits where the semantics says so) and ``tokens``
        [B, K, 1 + t] int64, BOS first. A Tensor is new scores; a slot without a hypothesis repeats another one's."""


class Attention(nn.Module, ABC):
    """Looks up a memory. Built as ``cls(config, query_size: int, memory: MemorySpec)``.

    ``context_size`` is the width of the context it returns. ``recurrent`` attention (location, coverage) is called one
    time step at a time, and its state follows the hypothesis.
    """

    context_size: int
    recurrent: bool = False
    weights_wanted: bool = True
    """Set to False on an instance whose weights nobody reads: ``forward`` may then return None for them."""

    @abstractmethod
    def project(self, memory: Memory) -> TensorDict:
        """Keys, values, mask, …: all that depends on the memory alone, ``[B, ...]`` each; called once per sentence."""

    def init_state(self, projected: TensorDict) -> TensorDict:
        """The state of a recurrent attention before the first step, ``[B, 1, ...]`` each."""
        return {}

    @abstractmethod
    def forward(
        self, query: Tensor, projected: TensorDict, state: TensorDict
    ) -> tuple[Tensor, Tensor | None, TensorDict]:
        """Context [B, Q, context_size], weights [B, Q, S'] (zero on padding; None where there are none) and new state.

        Q counts independent queries: all T positions in training, K hypotheses in decoding.
        """


@dataclass
class CriterionOutput:
    """Sums over real target positions, so that they add up over batches; divide by ``tokens`` for a mean."""

    loss: Tensor  # scalar, differentiable: what training minimises
    nll: Tensor  # scalar, detached: negative log-likelihood in nats, whatever the loss is
    correct: Tensor  # scalar, detached: positions where no token is scored better than the label
    tokens: int

    def __add__(self, other: CriterionOutput) -> CriterionOutput:
        return CriterionOutput(
            self.loss + other.loss, self.nll + other.nll, self.correct + other.correct, self.tokens + other.tokens
        )


class Criterion(nn.Module, ABC):
    """What training minimises. Built as ``cls(config, target: TargetSpec)``; may have parameters, which are trained.

    A criterion that scores each position apart has a ``forward`` and no more. One that needs something else (two
    passes, attention, samples, another model) overrides ``objective``.
    """

    def attach(self, task: Task) -> None:
        """Called once before training with the run's task, whose vocabularies and texts some criteria need."""

    @abstractmethod
    def forward(self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor) -> CriterionOutput:
        """``scores`` [B, T, V'] of ``kind``, labels ``target`` [B, T], ``mask`` [B, T] (True = counted).

        Called with a chunk of a batch's positions at a time, in any arrangement: the loss of a position may depend on
        its own scores and label alone.
        """

    def gradient(
        self, scores: Tensor, kind: ScoreKind, target: Tensor, mask: Tensor
    ) -> tuple[CriterionOutput, Tensor] | None:
        """The result of ``forward``, and the gradient [B, T, V'] of its loss with regard to ``scores`` (which are
        detached), where that can be had for less than by differentiation; None: it cannot."""
        return None

    def objective(self, model: Model, batch: Batch, forcing: float = 1.0) -> CriterionOutput:
        """The sums over a batch with a target: by default of ``forward`` over a teacher-forced pass, a chunk at a time,
        and of the decoder's own losses.

        Args:
            model: in training or in eval mode, as this criterion.
            forcing: the probability that the decoder is fed the label and not its own output.
        """
        from seq2seq_kit.criteria.chunks import criterion_in_chunks
        from seq2seq_kit.criteria.forced import teacher_force

        return criterion_in_chunks(self, teacher_force(model, batch, forcing), batch)


def shift_right(target: Tensor, bos_id: int) -> Tensor:
    """The decoder's input for labels ``target`` [B, T]: BOS, then all labels but the last. [B, T]"""
    return torch.cat([torch.full_like(target[:, :1], bos_id), target[:, :-1]], 1)


class Tokenizer(ABC):
    """Text to ids and back. Built as ``cls(config)``; then either trained or loaded.

    The special ids are the class' where the first four are reserved for them; an instance may have others of its own.
    """

    pad_id, bos_id, eos_id, unk_id = 0, 1, 2, 3
    vocab_size: int
    prefix: tuple[int, ...] = ()
    """What every text begins with, such as the code of its language; the task puts it there, not ``encode``."""

    @property
    def suffix(self) -> tuple[int, ...]:
        """What every source ends with; as ``prefix``. Targets end with EOS."""
        return (self.eos_id,)

    @abstractmethod
    def train(self, texts: Iterable[str]) -> None:
        """Learn the vocabulary from training texts."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without BOS and EOS."""

    def sampling(self, rate: float, generator: np.random.Generator) -> AbstractContextManager[None]:
        """A context within which :meth:`encode` draws one of a text's segmentations; ``rate``, from 0 up to 1, says how
        far it may be from the usual one. For tokenizers that have several."""
        raise UserError(f"{type(self).__name__} has one segmentation of a text only")

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of ``ids``; pad, BOS and EOS are dropped."""

    @abstractmethod
    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each id as a person would read it."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write one readable file."""

    @abstractmethod
    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""


@dataclass
class Example:
    """One example as read: before any tokenizer."""

    source: str
    target: str | None = None
    references: list[str] = field(default_factory=list)  # further correct targets, for evaluation
    id: Any = None  # in training data, a JSON value
    extras: dict[str, Any] = field(default_factory=dict)  # in training data, JSON values


@dataclass
class EncodedExample:
    """One example as ids; ``target`` ends with EOS. A continuous source is ``frames``, and ``source`` is then empty."""

    source: list[int]
    target: list[int] | None = None
    id: Any = None
    extras: dict[str, Any] = field(default_factory=dict)
    frames: NDArray[np.float32] | None = field(default=None, compare=False)  # [S, F]

    @property
    def source_length(self) -> int:
        """S: tokens, or frames."""
        return len(self.source) if self.frames is None else len(self.frames)


class Metric(ABC):
    """Compares outputs with references. Built as ``cls(config)``."""

    higher_is_better: bool = True

    @abstractmethod
    def __call__(self, outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
        """The corpus score; ``references[i]`` holds one or more references of ``outputs[i]``."""

    def signature(self) -> str:
        """How exactly the score is computed (for sacreBLEU metrics, its signature)."""
        return ""


class Transform:
    """Changes training examples, or leaves some out. Built as ``cls(config, task: Task)``.

    Named in ``data.filters`` it is applied once to each example, when the corpus is read; in ``data.transforms`` each
    time that an example is used, with a generator of its own for that example and epoch. Examples are not to be changed
    in place.
    """

    def on_text(self, example: Example, generator: np.random.Generator) -> Example | None:
        """The example in its place; None leaves it out (a filter only). The tokenizers may not be learnt yet."""
        return example

    def on_ids(
        self, encoded: EncodedExample, example: Example, generator: np.random.Generator
    ) -> EncodedExample | None:
        """The same once ``example`` is encoded."""
        return encoded


class Task(ABC):
    """What sequences mean: reads examples, owns tokenizers, and turns hypotheses into its own output type.

    Built as ``cls(config)``, then prepared (training) or loaded (decoding).
    """

    config: Any
    """The section that it was built with, a :class:`seq2seq_kit.config.ComponentConfig`."""
    source_spec: SourceSpec | None
    """None: there is no source, and what a user gives to decode is what the output starts with (a language model)."""
    target_spec: TargetSpec
    target_prefix: tuple[int, ...] = ()
    """What every encoded target begins with: the code of a language, say."""
    shared_vocabulary: bool = False
    """An id means the same token in a source and in a target."""
    group_references: bool = True
    """In evaluation data, lines of one source are one example with several references."""
    measures_perplexity: bool = False
    """The evaluation of a run also measures how likely it finds the targets."""
    longest_line: int = 10_000
    """Characters of an input line that the task's verb takes, unless it is told otherwise."""

    @abstractmethod
    def read(self, paths: Sequence[str], on_error: Literal["stop", "skip"] = "stop") -> Iterator[Example]:
        """The examples of a data file (or of parallel files, one a side)."""

    def example(self, given: str | Mapping[str, Any]) -> Example:
        """What a user gives to be decoded, as an example: a line of text, or a record with named fields. By default the
        text, or the record's ``source``, is the source.

        Raises:
            DataError: a field is missing or wrong; the message is the rest of a sentence that begins with where.
        """
        source = given.get("source") if isinstance(given, Mapping) else given
        if not isinstance(source, str):
            raise DataError("is not an object with a text 'source'")
        return Example(source)

    def conversation(self, turns: Sequence[str]) -> Example:
        """The example whose output answers a conversation: the user's and the system's turns, oldest first, the last
        one the user's. For tasks that converse."""
        raise UserError(f"{type(self).__name__} holds no conversations")

    def sentences(self, example: Example) -> list[Example]:
        """The sentences of an example, to be decoded one by one and joined. For tasks that can."""
        raise UserError(f"{type(self).__name__} cannot split sentences")

    def target_tag(self, language: str) -> str:
        """What is put before a source so that the output is in ``language``. For tasks with several of them."""
        raise UserError(f"{type(self).__name__} has no choice of target languages")

    @abstractmethod
    def prepare(self, examples: Iterable[Example]) -> None:
        """Learn tokenizers from the training examples, which can be iterated over several times, and set the specs."""

    @abstractmethod
    def encode(self, examples: Sequence[Example]) -> list[EncodedExample]:
        """Normalise and tokenize."""

    @abstractmethod
    def collate(self, examples: Sequence[EncodedExample]) -> Batch:
        """Pad and stack."""

    @abstractmethod
    def decode(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """The task's output for one example from its n-best hypotheses (possibly none), best first."""

    def decode_copying(
        self, example: Example, hypotheses: Sequence[Hypothesis], dictionary: Mapping[str, str]
    ) -> Output:
        """As :meth:`decode`, with source words in the place of unknown ones, as the attention of each hypothesis says;
        a word that ``dictionary`` has is replaced by its entry. For tasks that can."""
        raise UserError(f"{type(self).__name__} cannot replace unknown words")

    def decode_aligned(self, example: Example, hypotheses: Sequence[Hypothesis]) -> Output:
        """As :meth:`decode`, and ``Output.facts["word_alignment"]`` says which words of the source the words of the
        text come from, as pairs of numbers from 0. For tasks that can."""
        raise UserError(f"{type(self).__name__} cannot align words")

    def tokenizers(self) -> dict[str, Tokenizer]:
        """The tokenizers by what they read: ``source``, ``target``; both may be one. For transforms of the data."""
        return {}

    @abstractmethod
    def metrics(self) -> dict[str, Metric]:
        """The task's metrics by name; the first one is the main one."""

    def baselines(self, examples: Sequence[Example]) -> dict[str, list[str]]:
        """By name, what answers made without a model would be, to be scored beside a run's outputs; by default none."""
        return {}

    def notices(self) -> list[str]:
        """What a user should know of the examples encoded since the last call, such as how many were cut; each a
        sentence without its end."""
        return []

    @abstractmethod
    def save(self, directory: Path) -> None:
        """Write the tokenizers' files."""

    @abstractmethod
    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote, and set the specs."""


@dataclass
class Output:
    """A task's answer for one example. Tasks may subclass it."""

    text: str
    score: float  # as the search options define it; -inf where the search found nothing
    tokens: list[str] = field(default_factory=list)  # as a person would read them, without EOS
    token_scores: list[float] = field(default_factory=list)  # log-probabilities in nats, EOS included
    source_tokens: list[str] = field(default_factory=list)
    attention: Tensor | None = None  # [tokens + EOS, S']
    alternatives: list[Output] = field(default_factory=list)  # the other n-best, best first
    finish: Finish = "eos"  # why it ended
    top_tokens: list[list[tuple[str, float]]] = field(default_factory=list)  # each step's likeliest, in nats
    unmet: list[int] = field(default_factory=list)  # which of the example's constraints it does not meet
    facts: dict[str, Any] = field(default_factory=dict)  # what else the task says of it, as JSON values by name


@dataclass
class Imported:
    """What an importer makes of another toolkit's checkpoint."""

    config: Mapping[str, Any]
    """The configuration of the run, as in a YAML file: ``task``, ``model``, ``search``. Its tokenizers are such as are
    prepared without any text to learn from. Where it has no ``data`` and ``training``, those are placeholders."""
    tensors: TensorDict
    """The weights, by the names that the parameters of the configured model have (one name for what is shared)."""
    facts: dict[str, Any] = field(default_factory=dict)
    """JSON values that are kept with the weights: where they come from."""


class Importer(ABC):
    """Makes runs of another toolkit's checkpoints, and the other way round where it can. Built as ``cls(config)``; the
    commands ``s2s import NAME`` and ``s2s export NAME``."""

    @abstractmethod
    def read(self, source: str) -> Imported:
        """The checkpoint called ``source``: a folder, or what else the toolkit has for a name.

        Raises:
            UserError: there is none, or it has something that the kit has not; the message names it.
        """

    def write(self, run: Pipeline, folder: Path) -> None:
        """Write a loaded run as a checkpoint of the other toolkit into ``folder``, which is there and empty.

        Raises:
            UserError: that toolkit has no such model; the message says which part of it.
        """
        raise UserError(f"{type(self).__name__} only imports")
