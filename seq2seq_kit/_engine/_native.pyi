from collections.abc import Callable, Sequence

from torch import Tensor, dtype

from seq2seq_kit.decoding.hypothesis import Finish
from seq2seq_kit.decoding.search import Call
from seq2seq_kit.interfaces import DecoderState, ScoreKind, StepOutput

ABI: int

class Automaton:
    arcs: Sequence[dict[int, int]]
    accepting: set[int]
    def __init__(self) -> None: ...

class Cancellation:
    cancelled: bool
    def __init__(self) -> None: ...
    def cancel(self) -> None: ...

class NativeStep:
    def __init__(self, capsule: object) -> None: ...

def operator_step(name: str, state: DecoderState, kind: ScoreKind, params: Sequence[Tensor]) -> NativeStep: ...

class CompiledStep:
    def __init__(self, path: str, kind: ScoreKind, runners: int) -> None: ...
    def begin(self, state: DecoderState) -> NativeStep: ...

class RecurrentEncoderWeights:
    def __init__(self, cell: str, layers: int, directions: int, precision: str, tensors: dict[str, Tensor]) -> None: ...
    def encode(self, read: Tensor, mask: Tensor) -> list[Tensor]: ...

class RecurrentOptions:
    cell: str
    layers: int
    embedding_scale: float
    memory_size: int
    start_h: str
    start_c: str
    attends: bool
    heads: int
    scale: float
    query_before: bool
    input_feeding: bool
    precision: str
    def __init__(self) -> None: ...

class RecurrentWeights:
    def __init__(self, options: RecurrentOptions, tensors: dict[str, Tensor]) -> None: ...
    def step(
        self, states: Tensor | None, mask: Tensor | None, final: dict[str, Tensor], attention_wanted: bool
    ) -> NativeStep: ...

class TransformerOptions:
    layers: int
    heads: int
    key_value_heads: int
    source_heads: int
    self_scale: float
    source_scale: float
    pre_norm: bool
    norm_epsilon: float
    activation: str
    embedding_scale: float
    output_scale: float
    position_offset: int
    alignment_layer: int
    precision: str
    def __init__(self) -> None: ...

class TransformerWeights:
    def __init__(self, options: TransformerOptions, tensors: dict[str, Tensor]) -> None: ...
    def step(self, states: Tensor | None, mask: Tensor | None, attention_wanted: bool) -> NativeStep: ...

class TransformerEncoderWeights:
    def __init__(self, options: TransformerOptions, tensors: dict[str, Tensor]) -> None: ...
    def encode(self, read: Tensor, mask: Tensor) -> Tensor: ...

class PackedMatrix:
    """Weights [outputs, inputs] and a bias [outputs] as native steppers keep them; see core/kernels/packed_matrix.h."""

    bytes: int
    def __init__(self, weight: Tensor, bias: Tensor | None, precision: str) -> None: ...
    def multiply(self, x: Tensor) -> Tensor: ...
    def multiply_top(self, x: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]: ...

def isas() -> list[str]: ...
def use_isa(name: str) -> None: ...

class SentenceInput:
    source_length: int
    source: Sequence[int]
    prefix: Sequence[int]
    constraints: Sequence[Sequence[Sequence[int]]]
    banned: Sequence[Sequence[int]]
    automaton: Automaton | None
    key: int
    def __init__(self) -> None: ...

class SearchOptions:
    beam_size: int
    n_best: int
    semantics: str
    numerics: str
    bos_id: int
    eos_ids: Sequence[int]
    unk_id: int
    min_length: int
    max_length: int
    min_new_tokens: int
    max_new_tokens: int
    max_length_ratio: float
    max_length_margin: int
    length_decay_start: int
    length_decay_factor: float
    length_penalty: float
    length_penalty_offset: float
    word_penalty: float
    brevity_penalty: float
    brevity_ratio: float
    coverage_penalty: float
    coverage: str
    unk_penalty: float
    stop: str
    patience: float
    max_seconds: float
    no_repeat_ngram: int
    no_repeat_ngram_except: Sequence[int]
    no_repeat_ngram_source: int
    repetition_penalty: float
    repetition_penalty_source: float
    bad_words: Sequence[Sequence[int]]
    sequence_bias: Sequence[tuple[Sequence[int], float]]
    suppress: Sequence[int]
    suppress_at_start: Sequence[int]
    forced_first: int
    forced_last: int
    prefix_bias: float
    sampling: str
    temperature: float
    top_h: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    epsilon: float
    eta: float
    seed: int
    rng: str
    groups: int
    diversity_penalty: float
    sibling_penalty: float
    alternatives: bool
    attention: bool
    top_tokens: int
    def __init__(self) -> None: ...
    def validate(self) -> None: ...

# The fields of seq2seq_kit.decoding.hypothesis.Hypothesis.
_Fields = tuple[list[int], float, float, list[float], Finish, list[list[tuple[int, float]]], list[int], Tensor | None]

def search(
    step: Callable[[Tensor, Tensor, DecoderState], StepOutput | Tensor] | NativeStep,
    state: DecoderState,
    options: SearchOptions,
    sentences: Sequence[SentenceInput],
    call: Call,
) -> list[list[_Fields]]: ...
def why_on_host(options: SearchOptions, sentences: Sequence[SentenceInput], call: Call) -> str | None: ...
def search_ensemble(
    steps: Sequence[Callable[[Tensor, Tensor, DecoderState], StepOutput | Tensor] | NativeStep],
    states: Sequence[DecoderState],
    weights: Sequence[float],
    combination: str,
    options: SearchOptions,
    sentences: Sequence[SentenceInput],
    call: Call,
) -> list[list[_Fields]]: ...
def search_table(
    table: Tensor,
    kind: ScoreKind,
    options: SearchOptions,
    sentences: Sequence[SentenceInput],
    call: Call,
) -> list[list[_Fields]]: ...

# The kernels of training on a CPU: csrc/torch/training.

def cross_entropy(
    scores: Tensor, labels: Tensor, real: Tensor, on_label: float, others: float
) -> tuple[Tensor, Tensor]: ...
def attend(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None, causal: bool, scale: float
) -> tuple[Tensor, Tensor]: ...
def attend_backward(
    slope: Tensor,
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None,
    norms: Tensor,
    causal: bool,
    scale: float,
) -> list[Tensor]: ...

class ResidualOptions:
    def __init__(
        self, weight: Tensor | None, bias: Tensor | None, epsilon: float, probability: float, seed: int
    ) -> None: ...

def residual(x: Tensor, y: Tensor, options: ResidualOptions) -> tuple[Tensor, Tensor, Tensor]: ...
def residual_backward(
    slope: Tensor, sums: Tensor, moments: Tensor, y_type: dtype, options: ResidualOptions
) -> tuple[Tensor, Tensor, Tensor, Tensor]: ...
